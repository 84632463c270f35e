// Runs the project's own tools as child processes, on the Node and the binaries that node_modules brings.
// Knows nothing of what they check.

import { spawn } from 'node:child_process'
import { delimiter, resolve } from 'node:path'

export const PROJECT: string = resolve(import.meta.dirname, '../..')

export interface Outcome {
  /** Null when a signal ended it, or when it could not be started. */
  readonly status: number | null
  readonly output: string
}

/** Resolves when the command has ended, however it ended. `stream` shows its output as it comes, instead of returning it. */
export function runTool(command: readonly [string, ...string[]], how: 'collect' | 'stream'): Promise<Outcome> {
  const [name, ...args] = command
  const env = {
    ...process.env,
    PATH: `${resolve(PROJECT, 'node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}`,
  }
  return new Promise((settle) => {
    const child = spawn(name === 'node' ? process.execPath : name, args, {
      cwd: PROJECT,
      env,
      stdio: how === 'stream' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    })
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
    // An interrupted run must not leave its child behind.
    const stop = (signal: NodeJS.Signals): void => void child.kill(signal)
    process.on('SIGINT', stop).on('SIGTERM', stop)
    let failure = ''
    child.on('error', (error) => {
      failure = `${name}: ${error.message}\n`
      finish(null)
    })
    child.on('close', (status) => finish(status))
    let finished = false
    function finish(status: number | null): void {
      if (finished) return
      finished = true
      process.off('SIGINT', stop).off('SIGTERM', stop)
      settle({ status, output: Buffer.concat(chunks).toString() + failure })
    }
  })
}
