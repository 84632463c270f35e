// What every Disk promises while nothing fails. Durability itself can only be judged where power can be cut: test/simulator.

import { describe, expect, test } from 'vitest'
import type { Disk } from '../../src/ports/disk.ts'

export interface DiskSubject {
  readonly disk: Disk
  settle<T>(promise: Promise<T>): Promise<T>
}

export function diskContract(name: string, subject: () => Promise<DiskSubject>): void {
  describe(`disk: ${name}`, () => {
    const check = (what: string, story: (disk: Disk) => Promise<void>): void => {
      test(what, async () => {
        const { disk, settle } = await subject()
        await settle(story(disk))
      })
    }

    check('lists created files, sorted', async (disk) => {
      expect(await disk.list()).toEqual([])
      for (const file of ['b', 'a', 'c-1']) await (await disk.open(file, 'create')).close()
      expect(await disk.list()).toEqual(['a', 'b', 'c-1'])
    })

    check('creating what exists is EEXIST, opening what does not is ENOENT', async (disk) => {
      await (await disk.open('a', 'create')).close()
      expect(await codeOf(disk.open('a', 'create'))).toBe('EEXIST')
      expect(await codeOf(disk.open('b', 'existing'))).toBe('ENOENT')
      expect(await codeOf(disk.rename('b', 'c'))).toBe('ENOENT')
      expect(await codeOf(disk.remove('b'))).toBe('ENOENT')
    })

    check('appends all chunks in order, and size follows', async (disk) => {
      const file = await disk.open('a', 'create')
      expect(file.size).toBe(0)
      const first = file.append([bytes('one '), bytes(''), bytes('two ')])
      const second = file.append([bytes('three')])
      await Promise.all([first, second])
      expect(file.size).toBe(13)
      expect(text(await file.read(0, 100))).toBe('one two three')
      await file.close()
    })

    check('appends after reopening go to the end', async (disk) => {
      const file = await disk.open('a', 'create')
      await file.append([bytes('abc')])
      await file.close()
      const again = await disk.open('a', 'existing')
      expect(again.size).toBe(3)
      await again.append([bytes('def')])
      await again.sync()
      expect(text(await again.read(0, 6))).toBe('abcdef')
      await again.close()
    })

    check('reads any range, shorter only at the end', async (disk) => {
      const file = await disk.open('a', 'create')
      await file.append([bytes('0123456789')])
      expect(text(await file.read(3, 4))).toBe('3456')
      expect(text(await file.read(8, 10))).toBe('89')
      expect((await file.read(10, 10)).length).toBe(0)
      expect((await file.read(50, 10)).length).toBe(0)
      await file.close()
    })

    check('what was read stays as it was read', async (disk) => {
      const file = await disk.open('a', 'create')
      await file.append([bytes('before')])
      const read = await file.read(0, 6)
      await file.truncate(0)
      await file.append([bytes('AFTER!')])
      expect(text(read)).toBe('before')
      expect(text(await file.read(0, 6))).toBe('AFTER!')
      await file.close()
    })

    check('truncate cuts the end, and the next append follows it', async (disk) => {
      const file = await disk.open('a', 'create')
      await file.append([bytes('0123456789')])
      await file.sync()
      await file.truncate(4)
      expect(file.size).toBe(4)
      await file.append([bytes('xy')])
      await file.sync()
      expect(text(await file.read(0, 100))).toBe('0123xy')
      await file.close()
    })

    check('a log takes appends like any file, and shows no room behind them', async (disk) => {
      const log = await disk.open('a', 'create-log')
      expect(await codeOf(disk.open('a', 'create-log'))).toBe('EEXIST')
      for (const part of ['header ', 'one ', 'two']) await log.append([bytes(part), bytes('')])
      expect(log.size).toBe(14)
      expect(text(await log.read(0, 100))).toBe('header one two')
      await log.append([bytes('!'), new Uint8Array(300_000).fill(7), bytes('?')])
      expect(log.size).toBe(300_016)
      await log.truncate(14)
      await log.append([bytes('.')])
      await log.close()
      const again = await disk.open('a', 'existing')
      expect(again.size).toBe(15)
      expect(text(await again.read(0, 100))).toBe('header one two.')
      await again.close()
    })

    check('rename replaces the target', async (disk) => {
      const old = await disk.open('current', 'create')
      await old.append([bytes('old')])
      await old.close()
      const next = await disk.open('next', 'create')
      await next.append([bytes('new')])
      await next.sync()
      await next.close()
      await disk.rename('next', 'current')
      await disk.syncDirectory()
      expect(await disk.list()).toEqual(['current'])
      const found = await disk.open('current', 'existing')
      expect(text(await found.read(0, 10))).toBe('new')
      await found.close()
      await disk.remove('current')
      expect(await disk.list()).toEqual([])
    })

    check('says how much room there is', async (disk) => {
      const { free, total } = await disk.space()
      expect(free).toBeGreaterThan(0)
      expect(total).toBeGreaterThanOrEqual(free)
    })

    check('large appends in many chunks arrive whole', async (disk) => {
      const file = await disk.open('a', 'create')
      const chunks = Array.from({ length: 1500 }, (_, i) => new Uint8Array(777).fill(i))
      await file.append(chunks)
      expect(file.size).toBe(1500 * 777)
      expect(Buffer.compare(await file.read(0, file.size), Buffer.concat(chunks))).toBe(0)
      await file.close()
    })
  })
}

export function bytes(content: string): Uint8Array {
  return Buffer.from(content)
}

export function text(content: Uint8Array): string {
  return Buffer.from(content).toString()
}

export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}
