// `quorate put`: writes an argument, a file or standard input under a key.

import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { print, printJson, readAll, type CommandIo } from '../command-io.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { addKeyFlags, keyHeaders, keyQuery, type KeyFlags } from '../key-flags.ts'
import { answerFacts, tellAnswer, valueFields } from '../key-report.ts'
import { kvPath } from '../node-client.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

interface PutFlags extends KeyFlags {
  readonly file?: string
  readonly contentType?: string
  readonly ttl?: string
  readonly idempotencyKey?: string
  readonly ifMatch?: string
  readonly create?: boolean
  readonly return?: boolean
  readonly meta?: Readonly<Record<string, string>>
}

const TEXT = 'text/plain; charset=utf-8'
const BINARY = 'application/octet-stream'
const BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ['.json', 'application/json'],
  ['.txt', TEXT],
  ['.md', 'text/markdown; charset=utf-8'],
  ['.csv', 'text/csv; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.xml', 'application/xml'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.pdf', 'application/pdf'],
])

export function register(command: Command, io: CommandIo): void {
  addKeyFlags(addNodeFlags(command))
    .argument('<bucket>')
    .argument('<key>')
    .argument('[value]', 'the value as text; "-" or nothing: standard input')
    .option('--file <path>', 'take the value from a file')
    .option('--content-type <type>', "the value's media type")
    .option('--context <context>', 'the causal context that this write supersedes, or "latest"')
    .option('--ttl <seconds>', 'seconds until it expires')
    .option('--idempotency-key <key>', 'sent again under this key it is the same write')
    .option('--if-match <etag>', 'write only if this is what is stored')
    .option('--create', 'write only if nothing is stored')
    .option('--return', 'print what is stored afterwards')
    .option('--meta <name=value>', 'metadata to keep with the value (repeatable)', collectMeta)
    .action(async (bucket: string, key: string, argument: string | undefined, flags: PutFlags) => {
      const { json = false } = nodeFlags(command)
      const { bytes, contentType } = await valueOf(argument, flags, io)
      await withNode(nodeFlags(command), io, async (node) => {
        const answer = await node.ask('PUT', kvPath(bucket, key), {
          query: keyQuery(flags),
          headers: {
            ...keyHeaders(flags),
            'content-type': contentType,
            'quorate-ttl': flags.ttl,
            'idempotency-key': flags.idempotencyKey,
            'if-match': flags.ifMatch,
            'if-none-match': flags.create ? '*' : undefined,
            prefer: flags.return ? 'return=representation' : undefined,
            ...Object.fromEntries(
              Object.entries(flags.meta ?? {}).map(([name, text]) => [`quorate-meta-${name}`, text]),
            ),
          },
          body: bytes,
        })
        if (!json) tellAnswer(io, answer, flags)
        if (answer.status >= 400) throw failure(answer, json)
        if (!json) return answer.body.length > 0 ? print(io, answer.body) : undefined
        const stored = answer.status === 300 ? jsonBody(answer) : valueFields(answer.body)
        await printJson(io, { ...answerFacts(answer), ...(answer.body.length > 0 ? { stored } : {}) })
      })
    })
}

async function valueOf(
  argument: string | undefined,
  flags: PutFlags,
  io: CommandIo,
): Promise<{ readonly bytes: Buffer; readonly contentType: string }> {
  if (flags.file !== undefined) {
    if (argument !== undefined) throw new CommandError(EXIT.usage, 'give a value or --file, not both')
    const guessed = BY_EXTENSION.get(extname(flags.file).toLowerCase()) ?? BINARY
    return { bytes: readFile(flags.file), contentType: flags.contentType ?? guessed }
  }
  if (argument !== undefined && argument !== '-') {
    return { bytes: Buffer.from(argument), contentType: flags.contentType ?? TEXT }
  }
  if (io.stdin.isTTY && argument === undefined) {
    throw new CommandError(EXIT.usage, 'no value: give it as an argument, with --file, or on standard input')
  }
  return { bytes: await readAll(io.stdin), contentType: flags.contentType ?? BINARY }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CommandError(EXIT.usage, `--file: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function collectMeta(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf('=')
  const name = text.slice(0, at)
  if (at < 1 || !/^[A-Za-z0-9_-]+$/.test(name))
    throw new CommandError(EXIT.usage, `--meta: "${text}" is not name=value`)
  return { ...before, [name]: text.slice(at + 1) }
}
