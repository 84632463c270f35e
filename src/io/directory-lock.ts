// One process a data directory. The holder listens on a Unix socket in it, which refuses connections the moment that process is
// dead, however it died: so a stale lock is known for certain and taken over at once, without trusting process ids.
// Invariant: locks are numbered, a number is taken by link(2) only after the one before was seen dead, and the highest is never
// removed; so of all that find the same dead lock one takes the next number, and a late one sees that it was overtaken.

import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import type { Server } from 'node:net'
import { QuorateError } from '../errors.ts'

export type Release = () => Promise<void>

const ATTEMPTS_MAX = 50
const LOCK_NAME = /^\.lock\.(\d{1,15})$/

/** Creates the directory where it is missing. Rejects with `config` when a living process holds it, or when it cannot be written. */
export async function lockDirectory(path: string): Promise<Release> {
  const directory = await opened(path)
  // A socket's path has about 100 bytes; by way of the descriptor it is always short.
  const base = process.platform === 'linux' ? `/proc/self/fd/${directory.fd}` : path
  const mine = `${base}/.taking.${process.pid}.${randomBytes(4).toString('hex')}`
  let server: Server | null = null
  try {
    server = await listen(mine)
    await acquire(path, base, mine)
    await rm(mine, { force: true })
  } catch (error) {
    server?.close()
    await rm(mine, { force: true }).catch(() => {})
    await directory.close()
    throw unusable(path, 'cannot be written', error)
  }
  const held = server
  return async () => {
    // The file stays: a number that was used once must not become free again.
    await new Promise<void>((resolve) => held.close(() => resolve()))
    await directory.close()
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    // Recursive, Node says ENOENT whatever the reason was.
    await mkdir(path, { recursive: true }).catch(() => mkdir(path))
    return await open(path, 'r')
  } catch (error) {
    throw unusable(path, 'cannot be used as a data directory', error)
  }
}

/** The system's own words name the socket, which tells an operator nothing. */
function unusable(path: string, what: string, error: unknown): unknown {
  const code = codeOf(error)
  return typeof code !== 'string' || error instanceof QuorateError
    ? error
    : new QuorateError('config', `${path} ${what} (${code})`, { cause: error })
}

async function acquire(path: string, base: string, mine: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const last = Math.max(0, ...(await lockNumbers(base)))
    if (last > 0 && (await answers(`${base}/.lock.${last}`))) break
    const taken = last + 1
    if (!(await linked(mine, `${base}/.lock.${taken}`))) continue
    // Slow since the look above: others may have taken this number, died, and been cleared away by a later holder.
    const now = await lockNumbers(base)
    if (now.some((number) => number > taken)) {
      await rm(`${base}/.lock.${taken}`, { force: true })
      continue
    }
    for (const number of now) if (number < taken) await rm(`${base}/.lock.${number}`, { force: true })
    return
  }
  throw new QuorateError('config', `${path} is in use by another process`)
}

async function lockNumbers(base: string): Promise<readonly number[]> {
  return (await readdir(base)).flatMap((name) => {
    const digits = LOCK_NAME.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject)
    server.listen(path, () => {
      server.unref()
      resolve(server)
    })
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // A full backlog (EAGAIN) or a lack of rights also means that somebody lives there.
    socket.once('error', (error) => resolve(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT'))
  })
}

/** False when the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
