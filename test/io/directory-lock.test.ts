import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockDirectory } from '../../src/io/directory-lock.ts'

let path = ''
const children: ChildProcess[] = []

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'quorate-lock-'))
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(path, { recursive: true, force: true })
})

/** A process that locks the directory; its first word says how that went. */
async function holder(): Promise<{ child: ChildProcess; word: string }> {
  const module = new URL('../../src/io/directory-lock.ts', import.meta.url).href
  const script = `import { lockDirectory } from ${JSON.stringify(module)}
    lockDirectory(${JSON.stringify(path)}).then(() => { console.log('locked'); setInterval(() => {}, 1000) }, (e) => { console.log(e.code); process.exit() })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const word = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())),
  )
  return { child, word }
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

describe('a data directory', () => {
  test('is held once, and free after its release', async () => {
    const release = await lockDirectory(path)
    await expect(lockDirectory(path)).rejects.toMatchObject({ code: 'config' })
    await release()
    const again = await lockDirectory(path)
    await again()
    // Numbered locks never go back, and older ones are cleared away.
    expect(await readdir(path)).toEqual(['.lock.2'])
  })

  // Nobody, not even root, can make a socket in there.
  test.skipIf(process.platform !== 'linux')('that cannot be written is named, with the reason', async () => {
    await expect(lockDirectory('/proc/self')).rejects.toThrow(/^\/proc\/self cannot be written \(E[A-Z]+\)$/)
  })

  test('that cannot be made is named, with the reason', async () => {
    const below = join(path, 'file', 'below')
    await writeFile(join(path, 'file'), '')
    await expect(lockDirectory(below)).rejects.toMatchObject({
      code: 'config',
      message: `${below} cannot be used as a data directory (ENOTDIR)`,
    })
  })

  test('of a killed process is taken over at once', async () => {
    const { child, word } = await holder()
    expect(word).toBe('locked')
    await expect(lockDirectory(path)).rejects.toMatchObject({ code: 'config' })
    child.kill('SIGKILL')
    await gone(child)
    const release = await lockDirectory(path)
    expect((await holder()).word).toBe('config')
    await release()
  })

  test('of a stopped process is not', async () => {
    const { child } = await holder()
    child.kill('SIGSTOP')
    await expect(lockDirectory(path)).rejects.toMatchObject({ code: 'config' })
  })

  test('goes to one of many that find it stale together', async () => {
    const { child } = await holder()
    child.kill('SIGKILL')
    await gone(child)
    for (let round = 0; round < 30; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(path)))
      const held = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      for (const outcome of held) await outcome.value()
      expect(held.length).toBe(1)
    }
  })
})
