// A file that outlives the segments: whose storage this is, which segment is the newest, and whether the log was closed at a batch.
// It makes a lost newest segment and a cut end of a closed log visible. Invariant: replaced as a whole, durable before it counts.

import type { Disk } from '../ports/disk.ts'
import { encodeHeader, type FileHeader, MANIFEST, readHeader, type StorageKeys, TEMPORARY } from './file-header.ts'

/** `closedAt`: the sequence of the clean shutdown's batch, or 0 while the log is open. */
export async function writeManifest(disk: Disk, keys: StorageKeys, segment: number, closedAt: number): Promise<void> {
  const temporary = MANIFEST + TEMPORARY
  const file = await disk.open(temporary, 'create')
  try {
    await file.append([
      encodeHeader({ kind: 'manifest', ...keys, number: segment, batch: closedAt, lsn: 0, from: 0, to: 0 }),
    ])
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, MANIFEST)
  await disk.syncDirectory()
}

/** Null when it is damaged: everything in it but the two marks is in the segments too. */
export async function readManifest(disk: Disk): Promise<FileHeader | null> {
  return (await readHeader(disk, 'manifest', MANIFEST)).header
}
