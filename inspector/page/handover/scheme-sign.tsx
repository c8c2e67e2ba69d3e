/**
 * How a scheme looks at a glance: two places, and how much of the way between them is unbroken. Seamless: all of it.
 * A lost connection: torn. Early-link: linked long before. Semi-seamless: a break in the middle. Switch-host: nothing between.
 */
export function SchemeSign({ scheme }: { readonly scheme: string }) {
  return (
    <svg class={`sign ${scheme}`} viewBox="0 0 34 12" width="28" height="10" aria-hidden="true">
      {scheme === 'seamless' && <path d="M4 6h26" />}
      {scheme === 'early-link' && <path d="M4 6h26" class="ahead" />}
      {scheme === 'semi-seamless' && <path d="M4 6h8M22 6h8" />}
      {scheme === 'reconnection' && <path d="M4 6h8l3-5 4 10 3-5h8" class="torn" />}
      <circle cx="4" cy="6" r="3.2" />
      <circle cx="30" cy="6" r="3.2" class={scheme === 'switch-host' ? 'afresh' : ''} />
    </svg>
  );
}
