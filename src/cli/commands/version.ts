// `quorate version`: of the package and of the runtime.

import type { Command } from 'commander'
import { print, printJson, type CommandIo } from '../command-io.ts'
import { packageVersion } from '../version.ts'

export function register(command: Command, io: CommandIo): void {
  command.option('--json', 'print JSON').action(async () => {
    const version = packageVersion()
    const { json } = command.optsWithGlobals<{ readonly json?: boolean }>()
    if (json)
      await printJson(io, { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` })
    else await print(io, `quorate ${version} (node ${process.versions.node}, ${process.platform}-${process.arch})\n`)
  })
}
