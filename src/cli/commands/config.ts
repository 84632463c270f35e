// `quorate config`: the settings that `quorate start` would run with here, where each came from, secrets masked.

import type { Command } from 'commander'
import { describeConfig } from '../../config/describe.ts'
import { printJson, type CommandIo } from '../command-io.ts'
import { printTable } from '../display.ts'
import { addSettingFlags, configurationOf } from '../setting-flags.ts'

export function register(command: Command, io: CommandIo): void {
  addSettingFlags(command)
    .option('--json', 'print JSON')
    .action(async () => {
      const described = describeConfig(configurationOf(command, io))
      const { json } = command.optsWithGlobals<{ readonly json?: boolean }>()
      if (json) {
        return printJson(
          io,
          Object.fromEntries(described.map(({ name, value, source, from }) => [name, { value, source, from }])),
        )
      }
      const rows = described.map(({ name, value, from }) => [
        name,
        Array.isArray(value) ? value.join(', ') : String(value),
        from,
      ])
      await printTable(io, ['setting', 'value', 'from'], rows)
    })
}
