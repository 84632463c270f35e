// The command line: finds the command, runs it, and turns whatever happens into an exit status. Knows no command's meaning.

import { Command, CommanderError } from 'commander'
import { COMMANDS, commandOf } from './catalogue.ts'
import { printJson, processIo, say, styled, type CommandIo } from './command-io.ts'
import { CommandError, EXIT } from './exit-status.ts'
import { addNodeFlags } from './node-command.ts'
import { packageVersion } from './version.ts'

/** Runs one command line (without `node` and the script) to its end. Never throws; the result is the exit status. */
export async function run(argv: readonly string[], io: CommandIo = processIo()): Promise<number> {
  try {
    const program = await assemble(argv, io)
    await program.parseAsync([...argv], { from: 'user' })
    return EXIT.done
  } catch (error) {
    return await conclude(error, io)
  }
}

async function assemble(argv: readonly string[], io: CommandIo): Promise<Command> {
  const program = new Command('quorate')
    .description('A leaderless, Dynamo-style key-value store with tunable quorums.')
    .version(packageVersion(), '-V, --version')
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for the options)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHasColors: () => io.stdout.isTTY === true,
      getErrHasColors: () => io.stderr.isTTY === true,
      outputError: (text, write) => write(styled(io.stderr, 'red', text)),
    })
  addNodeFlags(program)
  const chosen = commandOf(argv)
  for (const { name, summary, load } of COMMANDS) {
    const command = program.command(name).description(summary)
    if (name === chosen) (await load()).register(command, io)
  }
  program.addHelpText('after', HELP_AFTER)
  return program
}

const HELP_AFTER = `
Exit status: 0 done, 1 the operation failed, 2 usage, 3 not found, 4 quorum not met.

  quorate dev --nodes 5                     a cluster on this machine
  quorate put greetings hello 'good day'    through the node at QUORATE_URL
  quorate get greetings hello --r 3`

async function conclude(error: unknown, io: CommandIo): Promise<number> {
  if (error instanceof CommanderError) {
    // Commander has said everything already. Help and version that were asked for are no errors.
    return ['commander.helpDisplayed', 'commander.version'].includes(error.code) || isHelpCommand(error)
      ? EXIT.done
      : EXIT.usage
  }
  if (error instanceof CommandError) {
    if (error.json !== undefined) await printJson(io, error.json)
    if (error.message !== '') say(io, styled(io.stderr, 'red', error.message))
    return error.status
  }
  say(
    io,
    styled(
      io.stderr,
      'red',
      `quorate failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    ),
  )
  return EXIT.failed
}

/** `quorate help get`; help for want of a command has the exit code 1 in commander. */
function isHelpCommand(error: CommanderError): boolean {
  return error.code === 'commander.help' && error.exitCode === 0
}
