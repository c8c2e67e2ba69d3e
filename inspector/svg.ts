/**
 * An SVG as a value: elements that are built once and then written as text, or made into a document's nodes. Runs anywhere.
 * INVARIANT: words only ever become text or attribute values; no string is taken for markup.
 */

export interface SvgElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly (SvgElement | string)[];
}

export const svg = (
  tag: string,
  attributes: Readonly<Record<string, string | number | undefined>> = {},
  ...children: readonly (SvgElement | string)[]
): SvgElement => ({
  tag,
  attributes: Object.fromEntries(
    Object.entries(attributes).filter((e): e is [string, string | number] => e[1] !== undefined),
  ),
  children,
});

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Characters that XML has no place for are shown as a box. */
const escaped = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that XML forbids
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\u25a1')
    .replace(/[&<>"']/g, (c) => escapes[c] ?? c);

const round = (value: string | number): string =>
  typeof value === 'number' ? String(Math.round(value * 100) / 100) : escaped(value);

/** The element as text. */
export function toMarkup(element: SvgElement): string {
  const attributes = Object.entries(element.attributes).map(([name, value]) => ` ${name}="${round(value)}"`);
  const inner = element.children
    .map((child) => (typeof child !== 'string' ? toMarkup(child) : escaped(child)))
    .join('');
  const open = `<${element.tag}${attributes.join('')}`;
  return inner === '' ? `${open}/>` : `${open}>${inner}</${element.tag}>`;
}

/** The element as a node of `document`. */
export function toNode(element: SvgElement, document: Document): SVGElement {
  const node = document.createElementNS('http://www.w3.org/2000/svg', element.tag);
  for (const [name, value] of Object.entries(element.attributes)) node.setAttribute(name, String(value));
  for (const child of element.children) {
    node.append(typeof child === 'string' ? document.createTextNode(child) : toNode(child, document));
  }
  return node;
}
