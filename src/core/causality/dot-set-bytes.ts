// A set of dots as bytes of its own: what requests and replies between nodes carry. Knows nothing of who sends them.
// Invariant: decoding gives back an equal set, or throws.

import { ByteReader, ByteWriter } from '../bytes.ts'
import { DotSet } from './dot-set.ts'

export function encodeDotSet(set: DotSet): Buffer {
  const writer = new ByteWriter(64)
  set.encode(writer)
  return writer.finish()
}

/** Throws `MalformedBytes`. */
export function decodeDotSet(bytes: Uint8Array): DotSet {
  const reader = new ByteReader(bytes)
  const set = DotSet.decode(reader)
  reader.end()
  return set
}
