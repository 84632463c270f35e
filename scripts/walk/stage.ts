// Where the walk takes place: a directory of its own, a cluster of real processes on free ports, and a shell. Decides how a command
// that a reader types is carried out here; knows nothing of what it should print. Invariant: `clear` leaves no process and no file.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { portsInUse } from '../../src/cli/free-ports.ts'

const PROJECT = resolve(import.meta.dirname, '../..')
const HOST = '127.0.0.1'
const NODES = 5
/** As a reader has them: client port of node i, and one more for its peers. */
const READER_PORT = 7480
const STEP = 10
const SPAN = STEP * (NODES - 1) + 1

const NODE = `exec '${process.execPath}' --disable-warning=ExperimentalWarning '${join(PROJECT, 'src/main.ts')}'`
const START = 'npm ci && npm start'
const COMMAND = 'npm run -s quorate --'
const READY_WITHIN_MS = 60_000

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<void>
}

export class Stage {
  readonly #folder: string
  readonly #basePort: number
  readonly #running: Running[] = []

  private constructor(folder: string, basePort: number) {
    this.#folder = folder
    this.#basePort = basePort
  }

  static async open(): Promise<Stage> {
    const ports = Array.from({ length: NODES }, (_, index) => [STEP * index, STEP * index + 1]).flat()
    for (let attempt = 0; attempt < 100; attempt++) {
      const basePort = 20_000 + 50 * Math.floor(Math.random() * 120)
      const taken = await portsInUse(
        HOST,
        ports.map((port) => basePort + port),
      )
      if (taken.length === 0) return new Stage(mkdtempSync(join(tmpdir(), 'quorate-walk-')), basePort)
    }
    throw new Error('no free ports for a cluster')
  }

  /** Runs a command and returns the lines that it printed, in a reader's ports. What serves is left running. */
  async run(command: string): Promise<readonly string[]> {
    if (command === START) {
      // The installation is there already; the cluster is the one that `npm start` starts, elsewhere.
      return this.#serve(`${NODE} dev --base-port ${this.#basePort}`, /^Ctrl-C /)
    }
    const here = this.#toHere(command).replaceAll(COMMAND, NODE)
    if (command.startsWith(`${COMMAND} start `)) return this.#serve(here, /^ready /)
    const { child, ended } = this.#spawn(here)
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    await ended
    return this.#toReader(Buffer.concat(chunks).toString())
  }

  async clear(): Promise<void> {
    // The last first: what was started by hand is no child of the cluster, and neither restarts anything.
    for (const { child, ended } of this.#running.reverse()) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(timer)
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  #serve(command: string, lastLine: RegExp): Promise<readonly string[]> {
    const { child, ended } = this.#spawn(command)
    return new Promise((done, fail) => {
      let printed = ''
      let talk = ''
      const timer = setTimeout(() => fail(new Error(`not ready in time: ${command}\n${talk}`)), READY_WITHIN_MS)
      child.stderr?.on('data', (chunk: Buffer) => (talk += chunk.toString()))
      child.stdout?.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        const lines = printed.split('\n')
        // The last piece is no whole line yet.
        if (!lines.slice(0, -1).some((line) => lastLine.test(line))) return
        clearTimeout(timer)
        done(this.#toReader(printed))
      })
      void ended.then(() => {
        clearTimeout(timer)
        fail(new Error(`it ended before it was ready: ${command}\n${talk}`))
      })
    })
  }

  #spawn(command: string): Running {
    const env = { ...process.env, QUORATE_URL: `http://${HOST}:${this.#basePort}` }
    const child = spawn('bash', ['-c', command], { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const running = { child, ended: new Promise<void>((done) => child.once('close', () => done())) }
    this.#running.push(running)
    return running
  }

  #toHere(command: string): string {
    // A process id may look like a port.
    if (command.startsWith('kill ')) return command
    return command.replaceAll(/\b7\d{3}\b/g, (text) => {
      const offset = Number(text) - READER_PORT
      return offset >= 0 && offset <= SPAN ? String(this.#basePort + offset) : text
    })
  }

  #toReader(printed: string): readonly string[] {
    const shift = (text: string): string => {
      const offset = Number(text) - this.#basePort
      return offset >= 0 && offset <= SPAN ? String(READER_PORT + offset) : text
    }
    return printed
      .replaceAll('\r\n', '\n')
      .replaceAll(/(?<=127\.0\.0\.1:)\d+/g, shift)
      .split('\n')
  }
}
