// What a storage holds, as text that can be compared: every record, clock, catalog entry and hint, byte for byte. Knows nothing of files.
// Invariant: equal texts mean that nobody above can tell the two storages apart.

import { whole } from '../../core/bytes.ts'
import { hash } from 'node:crypto'
import { encodeView } from '../../core/causality/view.ts'
import type { Storage } from '../../storage/storage.ts'

export function contentOf(storage: Storage): string {
  return linesOf(storage).join('\n')
}

function linesOf(storage: Storage): string[] {
  const lines: string[] = []
  for (const partition of storage.partitions()) {
    lines.push(`${partition} clock ${storage.clockOf(partition)}`)
    for (const { bucket, key, bytes } of storage.memtable.scan(partition, null))
      lines.push(`${partition} ${bucket}/${key} ${shown(whole(bytes))}`)
  }
  for (const name of storage.catalogNames('')) lines.push(`catalog ${name} ${shown(storage.catalog(name) ?? NOTHING)}`)
  for (const target of storage.hints.targets()) {
    // In the order in which they will be delivered.
    for (const { partition, bucket, key, conflict, view } of storage.hints.next(target, Infinity))
      lines.push(`for ${target} ${partition} ${bucket}/${key} ${conflict} ${shown(encodeView(view))}`)
  }
  return lines
}

/** The lines that only one of two contents has, in a few words. */
export function differenceOf(found: string, wanted: string): string {
  const [a, b] = [new Set(found.split('\n')), new Set(wanted.split('\n'))]
  const only = (these: ReadonlySet<string>, those: ReadonlySet<string>): string =>
    [...these.difference(those)].slice(0, 4).join('; ') || 'nothing'
  return `found but not there: ${only(a, b)}; there but not found: ${only(b, a)}`
}

const NOTHING = new Uint8Array(0)

function shown(bytes: Uint8Array): string {
  return bytes.length > 24 ? `${bytes.length}×${hash('sha1', bytes)}` : Buffer.from(bytes).toString('hex')
}
