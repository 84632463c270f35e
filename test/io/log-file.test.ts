// What a log's file holds on a real disk: the room ahead of it, and that nothing of it stays.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FileDisk } from '../../src/io/file-disk.ts'
import { bytes } from '../contracts/disk.contract.ts'

test('an open log ends in zeros from its second append on, a closed one with its content', async () => {
  const path = await mkdtemp(join(tmpdir(), 'quorate-log-'))
  const disk = await FileDisk.open(path)
  const stored = (): Promise<Buffer> => readFile(join(path, 'log'))
  const log = await disk.open('log', 'create-log')
  await log.append([bytes('header ')])
  expect((await stored()).toString()).toBe('header ')
  await log.append([bytes('one ')])
  const withRoom = await stored()
  expect(withRoom.length).toBeGreaterThan(100_000)
  expect(withRoom.findLastIndex((byte) => byte !== 0)).toBe('header one '.length - 1)
  await log.append([bytes('two')])
  expect((await stored()).length).toBe(withRoom.length)
  expect(log.size).toBe(14)
  await log.close()
  expect((await stored()).toString()).toBe('header one two')
  await disk.close()
  await rm(path, { recursive: true })
})
