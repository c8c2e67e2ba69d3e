/** What a party shows, small: as it is now, or as it was at the chosen moment as far as anybody remembers. */
import { useEffect, useRef } from 'preact/hooks';
import { usePage } from '../context.ts';

export function LanePicture({ party }: { readonly party: string | undefined }) {
  const { store, state } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = party === undefined ? undefined : store.pictures.at(party, state.at);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context === undefined || context === null) return;
    if (picture === undefined) {
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      return;
    }
    context.canvas.width = picture.width;
    context.canvas.height = picture.height;
    const data = new Uint8ClampedArray(picture.pixels);
    if (picture.width > 0 && picture.height > 0)
      context.putImageData(new ImageData(data, picture.width, picture.height), 0, 0);
  }, [picture]);
  const name = party === undefined ? '' : (store.parties.get(party)?.name ?? party);
  return (
    <canvas
      ref={canvas}
      class={`picture ${picture === undefined ? 'empty' : ''}`}
      width={160}
      height={90}
      role="img"
      aria-label={picture === undefined ? `${name}: no picture` : `What ${name} shows`}
    />
  );
}
