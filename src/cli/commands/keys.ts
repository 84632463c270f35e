// `quorate keys`: the keys of a bucket, page after page, one a line. Holds one page at a time.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { print, say, type CommandIo } from '../command-io.ts'
import { flagAt, textAt, textsAt, view } from '../json-view.ts'
import { integer } from '../key-flags.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

interface KeysFlags {
  readonly prefix?: string
  readonly limit?: number
  readonly cursor?: string
  readonly quiet?: boolean
}

const PAGE_KEYS_MAX = 1000

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
    .argument('<bucket>')
    .option('--prefix <text>', 'only keys that begin with this')
    .option('--limit <count>', 'stop after so many keys', integer(1, Number.MAX_SAFE_INTEGER))
    .option('--cursor <cursor>', 'go on where an earlier listing stopped')
    .option('-q, --quiet', 'say nothing about the listing on standard error')
    .action(async (bucket: string, flags: KeysFlags) => {
      const { json = false } = nodeFlags(command)
      const path = `/v1/kv/${encodeURIComponent(bucket)}`
      await withNode(nodeFlags(command), io, async (node) => {
        let cursor = flags.cursor
        let left = flags.limit ?? Number.POSITIVE_INFINITY
        let count = 0
        for (;;) {
          const query = { prefix: flags.prefix, limit: Math.min(left, PAGE_KEYS_MAX), cursor }
          const answer = await node.ask('GET', path, { query })
          if (answer.status !== 200) {
            if (cursor !== undefined && !flags.quiet) say(io, `${count} keys so far; go on with --cursor ${cursor}`)
            throw failure(answer, json)
          }
          const page = view(jsonBody(answer))
          const keys = textsAt(page, 'keys')
          const more = flagAt(page, 'more')
          cursor = textAt(page, 'cursor') ?? undefined
          // JSON lists keys as JSON lines do, so that a listing of any length needs no more memory than a page.
          if (keys.length > 0)
            await print(io, keys.map((key) => (json ? `${JSON.stringify({ key })}\n` : `${key}\n`)).join(''))
          count += keys.length
          left -= keys.length
          if (!more || left <= 0) {
            if (!flags.quiet)
              say(io, more ? `${count} keys; there are more: --cursor ${cursor ?? ''}` : `${count} keys`)
            return
          }
        }
      })
    })
}
