// Reads the arguments of a script. Decides only how one that cannot be used is refused: the reason and the usage on standard error,
// exit status 2, nothing done. Invariant: whoever gets values back may use them.

import { parseArgs, type ParseArgsConfig } from 'node:util'

export function readArguments<T extends ParseArgsConfig>(config: T, usage: string): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))
      return refuse(error.message, usage)
    throw error
  }
}

/** A whole number, `least` or more. */
export function wholeNumber(name: string, text: string, least: number, usage: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least)) refuse(`--${name} takes a whole number, ${least} or more; "${text}" is none`, usage)
  return number
}

export function refuse(why: string, usage: string): never {
  process.stderr.write(`${why}\n\n${usage.trimEnd()}\n`)
  process.exit(2)
}
