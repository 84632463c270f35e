// The flags of commands on one key, and the request headers that they stand for (structured fields, RFC 9651).

import { InvalidArgumentError, Option, type Command } from 'commander'

export interface KeyFlags {
  readonly r?: string
  readonly w?: string
  readonly sloppy?: boolean
  readonly timeout?: string
  readonly explain?: boolean
  readonly context?: string
  readonly quiet?: boolean
}

export function addKeyFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--r <count>', 'replicas that a read waits for: a number, one, quorum or all').argParser(level),
    )
    .addOption(
      new Option('--w <count>', 'replicas that a write waits for: a number, one, quorum or all').argParser(level),
    )
    .option('--sloppy', 'let healthy fallbacks stand in for unreachable replicas')
    .option('--no-sloppy', 'count home replicas alone')
    .addOption(new Option('--timeout <ms>', 'milliseconds for the whole operation, 1 to 60000').argParser(timeout))
    .option('--explain', "show each replica's part in the answer")
    .option('-q, --quiet', 'say nothing about the answer on standard error')
}

export function keyHeaders(flags: KeyFlags): Record<string, string | undefined> {
  return {
    'quorate-r': flags.r,
    'quorate-w': flags.w,
    'quorate-sloppy': flags.sloppy === undefined ? undefined : flags.sloppy ? '?1' : '?0',
    'quorate-timeout': flags.timeout,
    'quorate-context': flags.context,
  }
}

export function keyQuery(flags: KeyFlags): Record<string, string | undefined> {
  return { explain: flags.explain === true ? '1' : undefined }
}

function level(text: string): string {
  if (!/^(one|quorum|all|[1-9]\d?)$/.test(text))
    throw new InvalidArgumentError('Not a count: a number, one, quorum or all.')
  return text
}

function timeout(text: string): string {
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 60_000) {
    throw new InvalidArgumentError('Not milliseconds from 1 to 60000.')
  }
  return text
}

/** For options that are whole numbers in a range. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Not a whole number from ${min} to ${max}.`)
    return value
  }
}
