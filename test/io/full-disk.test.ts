// What a full file system does to a file. Needs to mount a small tmpfs; says so and is skipped where that is not allowed.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FileDisk } from '../../src/io/file-disk.ts'
import { bytes, codeOf, text } from '../contracts/disk.contract.ts'
import { smallFileSystem } from './small-file-system.ts'

const { path, mounted } = smallFileSystem('1m')

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

test.skipIf(!mounted)(
  'a log takes the same append again when there is room (skipped where mount is not allowed)',
  async () => {
    const disk = await FileDisk.open(path)
    const log = await disk.open('room', 'create-log')
    await log.append([bytes('header ')])
    await log.append([bytes('one ')])
    const { free } = await disk.space()
    writeFileSync(join(path, 'others'), Buffer.alloc(free))
    expect((await disk.space()).free).toBe(0)
    const batch = [new Uint8Array(300_000).fill(0x78), bytes('!')]
    for (let i = 0; i < 3; i++) {
      expect(await codeOf(log.append(batch))).toBe('ENOSPC')
      expect(log.size).toBe(11)
    }
    rmSync(join(path, 'others'))
    await log.append(batch)
    expect(log.size).toBe(300_012)
    expect(text(await log.read(0, 12))).toBe('header one x')
    await log.close()
    await disk.remove('room')
    await disk.close()
  },
)
