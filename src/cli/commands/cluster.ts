// `quorate cluster [status]`: the members as one node sees them.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { printJson, say, styled, type CommandIo } from '../command-io.ts'
import { formatAge, printTable } from '../display.ts'
import { numberAt, textAt, view, viewsAt } from '../json-view.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
  addNodeFlags(command.command('status', { isDefault: true }).description('show the members')).action(
    async (_flags: unknown, status: Command) => {
      const flags = nodeFlags(status)
      const json = flags.json ?? false
      await withNode(flags, io, async (node) => {
        const answer = await node.ask('GET', '/v1/cluster')
        if (answer.status !== 200) throw failure(answer, json)
        const body = jsonBody(answer)
        if (json) return printJson(io, body)
        const cluster = view(body)
        const members = viewsAt(cluster, 'members')
        const rows = members.map((member) => [
          textAt(member, 'name'),
          coloured(io, textAt(member, 'status') ?? '?'),
          textAt(member, 'clientAddress'),
          textAt(member, 'peerAddress'),
          textAt(member, 'zone'),
          numberAt(member, 'weight'),
          numberAt(member, 'ownedPartitions'),
          textAt(member, 'status') === 'self' ? 'now' : formatAge(numberAt(member, 'lastHeartbeatMs')),
          textAt(member, 'storage')?.slice(0, 8) ?? null,
          textAt(member, 'version'),
        ])
        await printTable(io, HEAD, rows)
        const id = textAt(cluster, 'id') ?? '?'
        say(
          io,
          `cluster ${textAt(cluster, 'name') ?? '?'} (${id}), ${members.length} members, ${numberAt(cluster, 'partitions') ?? '?'} partitions`,
        )
      })
    },
  )
}

const HEAD = ['name', 'status', 'clients', 'peers', 'zone', 'weight', 'partitions', 'heard', 'storage', 'version']

function coloured(io: CommandIo, status: string): string {
  const style = status === 'unreachable' ? 'red' : status === 'filling' ? 'yellow' : 'green'
  return styled(io.stdout, style, status)
}
