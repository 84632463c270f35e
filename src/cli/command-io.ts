// What a command may touch of the world: its streams and its environment. Handed in, so that tests see what users see.
// Invariant: data goes to standard output, everything said about it to standard error.

import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { styleText } from 'node:util'

export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean }
}

export function processIo(): CommandIo {
  // A reader that went away (`quorate keys b | head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return { env: process.env, stdin: process.stdin, stdout: process.stdout, stderr: process.stderr }
}

/** Writes data and waits where the reader is slow. */
export async function print(io: CommandIo, data: string | Uint8Array): Promise<void> {
  if (!io.stdout.write(data)) await once(io.stdout, 'drain')
}

export async function printJson(io: CommandIo, value: unknown): Promise<void> {
  await print(io, `${JSON.stringify(value, null, io.stdout.isTTY ? 2 : 0)}\n`)
}

/** One line to the person, not to the pipe. */
export function say(io: CommandIo, line: string): void {
  io.stderr.write(`${line}\n`)
}

type Style = Parameters<typeof styleText>[0]

/** Coloured where that stream is a terminal that shows colours (NO_COLOR is heeded). */
export function styled(stream: Writable, style: Style, text: string): string {
  return styleText(style, text, { stream })
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer | string>) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
