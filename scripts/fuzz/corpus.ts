// The samples that are kept: `test/fuzz/corpus/<target>/<door>--<what>.bin`, each the bytes that go through that door, nothing else.
// Knows nothing of doors. Invariant: a file once written is never overwritten by another sample.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Failure, Sample } from './engine.ts'

export const CORPUS: string = resolve(import.meta.dirname, '../../test/fuzz/corpus')
const BETWEEN = '--'

export interface KeptSample extends Sample {
  readonly file: string
}

export function corpusOf(target: string, folder: string = CORPUS): KeptSample[] {
  const dir = join(folder, target)
  let names: string[] = []
  try {
    names = readdirSync(dir).sort()
  } catch {
    // Nothing was kept yet.
  }
  return names
    .filter((name) => name.endsWith('.bin'))
    .map((name) => ({ file: name, door: name.split(BETWEEN)[0] as string, bytes: readFileSync(join(dir, name)) }))
}

/** Returns the file's path. */
export function keep(target: string, { door, bytes, signature }: Failure, folder: string = CORPUS): string {
  const dir = join(folder, target)
  mkdirSync(dir, { recursive: true })
  const words = signature.slice(door.length).replace(/[^a-z0-9]+/gi, '-')
  const what = `found${words.slice(0, 60)}-${crc32(bytes).toString(16).padStart(8, '0')}`
  const file = join(dir, `${door}${BETWEEN}${what}.bin`)
  writeFileSync(file, bytes)
  return file
}
