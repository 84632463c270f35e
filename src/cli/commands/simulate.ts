// `quorate simulate`: hands its arguments to the simulator's script; the command line itself knows nothing of the simulator.

import type { Command } from 'commander'
import { runCloneScript } from '../clone-script.ts'

export function register(command: Command): void {
  command
    .argument('[arguments...]', 'for the script; --help shows its own')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: readonly string[]) => runCloneScript('scripts/simulate.ts', args))
}
