// What a directory takes on its disk. Knows nothing of what is in it.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK_BYTES = 512

/** Allocated blocks of all files in it, as `du` counts them; files that go meanwhile count for nothing. */
export function diskUsage(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const stat = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
    bytes += (stat?.blocks ?? 0) * BLOCK_BYTES
  }
  return bytes
}
