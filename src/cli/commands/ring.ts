// `quorate ring`: how the ring is shared among the members; with a key, which members hold it and in which order.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { printJson, say, type CommandIo } from '../command-io.ts'
import { printFacts, printTable } from '../display.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { numberAt, textAt, textsAt, view, viewsAt, type View } from '../json-view.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
    .argument('[bucket]', 'a bucket, or bucket/key in one')
    .argument('[key]')
    .action(async (first: string | undefined, second: string | undefined) => {
      const { json = false } = nodeFlags(command)
      const path = first === undefined ? '/v1/ring' : keyPath(first, second)
      await withNode(nodeFlags(command), io, async (node) => {
        const answer = await node.ask('GET', path)
        if (answer.status !== 200) throw failure(answer, json)
        const body = jsonBody(answer)
        if (json) return printJson(io, body)
        await (first === undefined ? showRing(io, view(body)) : showKey(io, view(body)))
      })
    })
}

function keyPath(first: string, second: string | undefined): string {
  const slash = first.indexOf('/')
  const bucket = second === undefined && slash > 0 ? first.slice(0, slash) : first
  const key = second ?? (slash > 0 ? first.slice(slash + 1) : '')
  if (key === '') throw new CommandError(EXIT.usage, 'which key? quorate ring <bucket> <key>')
  return `/v1/ring/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`
}

async function showRing(io: CommandIo, ring: View): Promise<void> {
  const members = viewsAt(ring, 'members')
  const owned = members.map((member) => numberAt(member, 'owned') ?? 0)
  const mean = owned.reduce((sum, count) => sum + count, 0) / Math.max(1, owned.length)
  const rows = members.map((member, index) => [
    textAt(member, 'name'),
    numberAt(member, 'primary'),
    owned[index],
    `${((100 * (owned[index] ?? 0)) / Math.max(1, mean * owned.length)).toFixed(2)} %`,
  ])
  await printTable(io, ['member', 'first', 'holds', 'share'], rows)
  const largest = mean > 0 ? (Math.max(...owned) / mean).toFixed(3) : '-'
  say(
    io,
    `${numberAt(ring, 'partitions') ?? '?'} partitions, n=${numberAt(ring, 'n') ?? '?'}; the largest share is ${largest} of the mean`,
  )
}

async function showKey(io: CommandIo, key: View): Promise<void> {
  const states = viewsAt(key, 'replicas').map((one) => `${textAt(one, 'node') ?? '?'} ${textAt(one, 'state') ?? '?'}`)
  await printFacts(io, [
    ['hash', textAt(key, 'hash')],
    ['partition', numberAt(key, 'partition')],
    ['preference list', textsAt(key, 'preferenceList').join(', ')],
    ['fallbacks', textsAt(key, 'fallbacks').join(', ')],
    ['replicas', states.join(', ')],
  ])
}
