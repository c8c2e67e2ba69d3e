/** Where a connection comes from, as far as it is worth telling apart. Runs anywhere. */

/**
 * What stands for all addresses that one visitor has: an IPv4 address, or the /64 network of an IPv6 address, of which he has
 * 2⁶⁴ addresses. Undefined for what is no IP address: unix sockets, pipes in memory.
 */
export function originOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (plain !== undefined) return plain;
  if (!/^[0-9a-f:.]+(%.*)?$/i.test(address) || !address.includes(':')) return undefined;
  const [front = '', back] = address.replace(/%.*$/, '').toLowerCase().split('::');
  const before = front === '' ? [] : front.split(':');
  const after = back === undefined || back === '' ? [] : back.split(':');
  const zeroes = back === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeroes }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
