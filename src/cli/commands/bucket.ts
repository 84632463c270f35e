// `quorate bucket`: lists buckets, shows one, or sets properties of one (`quorate bucket carts n=3 conflict=lww`).

import type { Command } from 'commander'
import { DEFAULT_BUCKET } from '../../core/membership/bucket-settings.ts'
import { failure, jsonBody } from '../answers.ts'
import { printJson, type CommandIo } from '../command-io.ts'
import { printFacts, printTable, type Cell } from '../display.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { textAt, view, viewsAt, type View } from '../json-view.ts'
import type { NodeClient } from '../node-client.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

const PROPERTIES = Object.keys(DEFAULT_BUCKET)
const LISTED = ['n', 'r', 'w', 'sloppy', 'conflict', 'durability', 'ttlSeconds'] as const

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
    .argument('[bucket]', 'one bucket; nothing: all of them')
    .argument('[property=value...]', `what to set: ${PROPERTIES.join(', ')}`)
    .action(async (bucket: string | undefined, pairs: readonly string[]) => {
      const { json = false } = nodeFlags(command)
      const changes = parseChanges(pairs)
      await withNode(nodeFlags(command), io, async (node) => {
        if (bucket === undefined) return listBuckets(node, io, json)
        const path = `/v1/buckets/${encodeURIComponent(bucket)}`
        const answer =
          pairs.length === 0
            ? await node.ask('GET', path)
            : await node.ask('PUT', path, {
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify(changes),
              })
        if (answer.status >= 400) throw failure(answer, json)
        const body = jsonBody(answer)
        if (json) return printJson(io, body)
        await printFacts(
          io,
          [...view(body)].map(([name, value]) => [name, cell(value)]),
        )
      })
    })
}

async function listBuckets(node: NodeClient, io: CommandIo, json: boolean): Promise<void> {
  const answer = await node.ask('GET', '/v1/buckets')
  if (answer.status !== 200) throw failure(answer, json)
  const body = jsonBody(answer)
  if (json) return printJson(io, body)
  const buckets = Array.isArray(body) ? body.map(view) : viewsAt(view(body), 'buckets')
  const rows = buckets.map((one) => {
    const settings = settingsOf(one)
    return [textAt(one, 'name') ?? textAt(one, 'bucket'), ...LISTED.map((name) => cell(settings.get(name)))]
  })
  await printTable(io, ['bucket', ...LISTED], rows)
}

/** Beside the name, or one level below. */
function settingsOf(bucket: View): View {
  return bucket.has('n') ? bucket : view(bucket.get('settings'))
}

function cell(value: unknown): Cell {
  if (value === null || value === undefined) return null
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : JSON.stringify(value)
}

/** Numbers, true, false and null mean themselves; everything else is text. The node judges the rest. */
function parseChanges(pairs: readonly string[]): Record<string, unknown> {
  const changes: Record<string, unknown> = {}
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, Math.max(at, 0))
    if (!PROPERTIES.includes(name)) {
      throw new CommandError(EXIT.usage, `"${pair}" is not property=value; properties are ${PROPERTIES.join(', ')}`)
    }
    const text = pair.slice(at + 1)
    changes[name] = /^(true|false|null|-?\d+(\.\d+)?)$/.test(text) ? JSON.parse(text) : text
  }
  return changes
}
