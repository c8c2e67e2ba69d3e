/**
 * The one error that every image codec throws. A peer's bytes can cause it and nothing else: whatever other exception
 * leaves this folder is a fault of ours. It must never carry pixels or bytes of the image.
 */
import { SumacError } from '../errors.ts';

export type ImageFault =
  | 'truncated' // fewer bytes than the image needs
  | 'trailing' // bytes are left when the image is complete
  | 'magic' // not the codec that was announced, or a version that nobody speaks
  | 'type' // a pixel type that the codec does not have, or not the one that was announced
  | 'size' // a header that contradicts the declared size, or a size that no surface can have
  | 'overrun' // the data draws beyond the last pixel
  | 'reference' // a match that starts before the image, outside the window or beyond the picture it points into
  | 'palette' // no palette where one is needed, or an index that it does not have
  | 'data' // anything else that a correct encoder never writes
  | 'window' // the window was cleared, or no longer holds an image, while a picture waited for it
  | 'target' // the caller's own buffer does not fit; never caused by a peer
  | 'input'; // a picture that was handed to an encoder and cannot be encoded; never caused by a peer

/** A picture that cannot be decoded (or encoded). `offset` counts bytes from the start of the encoded image. */
export class ImageError extends SumacError {
  readonly fault: ImageFault;
  readonly offset: number;

  constructor(fault: ImageFault, detail: string, offset = 0, options?: ErrorOptions) {
    super(`image.${fault}`, `${detail} (offset ${offset})`, options);
    this.fault = fault;
    this.offset = offset;
  }
}
