// The list of commands: name, summary, and where its code is. Only the command that runs is loaded.

import type { Command } from 'commander'
import type { CommandIo } from './command-io.ts'

/** Declares a command's arguments and options, and what it does. */
export type Register = (command: Command, io: CommandIo) => void

export interface CatalogueEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly register: Register }>
}

export const COMMANDS: readonly CatalogueEntry[] = [
  { name: 'start', summary: 'run one node', load: () => import('./commands/start.ts') },
  { name: 'dev', summary: 'run a local cluster of several nodes', load: () => import('./commands/dev.ts') },
  { name: 'get', summary: 'read a key', load: () => import('./commands/get.ts') },
  { name: 'put', summary: 'write a key', load: () => import('./commands/put.ts') },
  { name: 'delete', summary: 'delete a key', load: () => import('./commands/delete.ts') },
  { name: 'keys', summary: 'list the keys of a bucket', load: () => import('./commands/keys.ts') },
  { name: 'bucket', summary: 'show or configure buckets', load: () => import('./commands/bucket.ts') },
  { name: 'cluster', summary: 'show the members', load: () => import('./commands/cluster.ts') },
  { name: 'ring', summary: 'show the ring, or where a key lives', load: () => import('./commands/ring.ts') },
  {
    name: 'repair',
    summary: 'compare replicas now, or show how repair stands',
    load: () => import('./commands/repair.ts'),
  },
  { name: 'hints', summary: 'show the writes kept for others', load: () => import('./commands/hints.ts') },
  { name: 'import', summary: 'load a JSON file into a bucket', load: () => import('./commands/import.ts') },
  { name: 'bench', summary: 'run a benchmark (in a clone)', load: () => import('./commands/bench.ts') },
  { name: 'simulate', summary: 'run the simulator (in a clone)', load: () => import('./commands/simulate.ts') },
  {
    name: 'config',
    summary: 'show the settings in force and their sources',
    load: () => import('./commands/config.ts'),
  },
  { name: 'version', summary: 'show the version', load: () => import('./commands/version.ts') },
]

/** Words before the command can only be the program's own options and their values, so the first name found is it. */
export function commandOf(argv: readonly string[]): string | undefined {
  return argv.find((word) => COMMANDS.some(({ name }) => name === word))
}
