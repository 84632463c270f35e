// What a full file system does to a file. Needs to mount a small tmpfs; says so and is skipped where that is not allowed.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { FileDisk } from '../../src/io/file-disk.ts'
import { bytes, codeOf, text } from '../contracts/disk.contract.ts'

const path = mkdtempSync(join(tmpdir(), 'quorate-full-'))
const mounted = mount()

function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

afterAll(() => {
  if (mounted) execFileSync('umount', [path])
  rmSync(path, { recursive: true })
})

test.skipIf(!mounted)(
  'an append that does not fit leaves the file as it was (skipped where mount is not allowed)',
  async () => {
    const disk = await FileDisk.open(path)
    const file = await disk.open('log', 'create')
    await file.append([bytes('kept')])
    const outcomes = [file.append([new Uint8Array(2 << 20)]), file.append([bytes('behind')])].map(codeOf)
    expect((await Promise.all(outcomes))[0]).toBe('ENOSPC')
    expect(await outcomes[1]).not.toBe('resolved')
    expect(file.size).toBe(4)
    await file.append([bytes(' and more')])
    await file.sync()
    expect(text(await file.read(0, 100))).toBe('kept and more')
    await file.close()
    const again = await disk.open('log', 'existing')
    expect(again.size).toBe(13)
    await again.close()
    await disk.close()
  },
)
