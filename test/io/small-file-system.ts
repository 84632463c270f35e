// A small file system of its own, for what happens when it is full. Needs to mount a tmpfs; says where that is not allowed.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** `size` as mount takes it; gone after all tests of the file. */
export function smallFileSystem(size: string): { readonly path: string; readonly mounted: boolean } {
  const path = mkdtempSync(join(tmpdir(), 'quorate-full-'))
  let mounted = true
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    mounted = false
  }
  afterAll(() => {
    if (mounted) execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  })
  return { path, mounted }
}
