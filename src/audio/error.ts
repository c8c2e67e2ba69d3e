/** The one error that sound codecs throw for what a peer sent. It must never carry sound. */
import { SumacError } from '../errors.ts';

export class AudioError extends SumacError {
  constructor(message: string, options?: ErrorOptions) {
    super('audio.data', message, options);
  }
}
