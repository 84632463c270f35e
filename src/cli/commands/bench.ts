// `quorate bench`: runs one of the repository's benchmarks, or says which there are.

import { readdirSync } from 'node:fs'
import type { Command } from 'commander'
import { PROJECT_FOLDER, runCloneScript } from '../clone-script.ts'
import { print, type CommandIo } from '../command-io.ts'
import { CommandError, EXIT } from '../exit-status.ts'

const FOLDER = 'scripts/bench'

export function register(command: Command, io: CommandIo): void {
  command
    .argument('[name]', 'which benchmark; nothing: list them')
    .argument('[arguments...]', 'for the benchmark')
    .passThroughOptions()
    .action(async (name: string | undefined, args: readonly string[]) => {
      const names = benchmarks()
      if (name === undefined) return print(io, names.map((one) => `${one}\n`).join(''))
      if (!names.includes(name)) {
        throw new CommandError(
          EXIT.usage,
          `there is no benchmark "${name}"; there are: ${names.join(', ') || 'none here'}`,
        )
      }
      await runCloneScript(`${FOLDER}/${name}.ts`, args)
    })
}

function benchmarks(): string[] {
  try {
    return readdirSync(`${PROJECT_FOLDER}${FOLDER}`)
      .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
      .map((file) => file.slice(0, -3))
      .toSorted()
  } catch {
    throw new CommandError(
      EXIT.failed,
      `${FOLDER} is not here: it comes with a clone of the repository, not with the package`,
    )
  }
}
