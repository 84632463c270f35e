// A file that outlives the segments: whose storage this is, which segment is the newest, and whether the log was closed at a batch.
// It makes a lost newest segment and a cut end of a closed log visible. Invariant: replaced as a whole, durable before it counts.

import type { Disk } from '../ports/disk.ts'
import { encodeHeader, type FileHeader, MANIFEST, readHeader, type StorageKeys, TEMPORARY } from './file-header.ts'
import { isNoSpace, NoRoom } from './no-room.ts'

/** Rejects with `NoRoom` where the one before is still in force. `closedAt`: the sequence of the clean shutdown's batch, or 0 while the log is open. */
export async function writeManifest(disk: Disk, keys: StorageKeys, segment: number, closedAt: number): Promise<void> {
  const temporary = MANIFEST + TEMPORARY
  const rest = { lsn: 0, from: 0, to: 0, repeats: false }
  const header = encodeHeader({ kind: 'manifest', ...keys, number: segment, batch: closedAt, ...rest })
  const file = await disk.open(temporary, 'create').catch((error: unknown) => {
    throw isNoSpace(error) ? new NoRoom(error) : error
  })
  let refused: unknown = null
  try {
    await file.append([header]).catch((error: unknown) => {
      if (!isNoSpace(error)) throw error
      refused = error
    })
    if (refused === null) await file.sync()
  } finally {
    await file.close()
  }
  if (refused !== null) {
    await disk.remove(temporary)
    throw new NoRoom(refused)
  }
  await disk.rename(temporary, MANIFEST)
  await disk.syncDirectory()
}

/** Null when it is damaged: everything in it but the two marks is in the segments too. */
export async function readManifest(disk: Disk): Promise<FileHeader | null> {
  return (await readHeader(disk, 'manifest', MANIFEST)).header
}
