// A node's settings as command-line options, and their resolution with the process's environment and files.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { Option, type Command } from 'commander'
import { resolveConfig, type Configuration } from '../config/resolve.ts'
import { formatBytes, SETTINGS, type Setting, type SettingName } from '../config/settings.ts'
import type { CommandIo } from './command-io.ts'
import { CommandError, EXIT } from './exit-status.ts'

export function addSettingFlags(command: Command): Command {
  for (const setting of SETTINGS) {
    command.addOption(new Option(flagsOf(setting), `${setting.description}${defaultOf(setting)} [${setting.env}]`))
  }
  return command.option('--config <path>', 'a JSON file of settings [QUORATE_CONFIG]')
}

/** Throws a CommandError that tells every violation at once. */
export function configurationOf(command: Command, io: CommandIo): Configuration {
  const given = new Map<string, unknown>(Object.entries(command.opts()))
  const flags: Partial<Record<SettingName, string | boolean>> = {}
  for (const { name } of SETTINGS) {
    const value = given.get(name)
    if (typeof value === 'string' || typeof value === 'boolean') flags[name] = value
  }
  const configFlag = given.get('config')
  const outcome = resolveConfig({
    flags,
    env: io.env,
    configFile: typeof configFlag === 'string' ? configFlag : io.env['QUORATE_CONFIG'] || null,
    readText: (path) => readFileSync(path, 'utf8'),
    hostname: hostname(),
  })
  if (outcome.type === 'ok') return outcome.configuration
  const { violations } = outcome
  const heading =
    violations.length === 1 ? 'A setting cannot be used:' : `${violations.length} settings cannot be used:`
  const lines = [heading, ...violations.map((violation) => `  ${violation.message}`)]
  throw new CommandError(
    EXIT.usage,
    lines.join('\n'),
    command.optsWithGlobals<{ readonly json?: boolean }>().json ? { violations } : undefined,
  )
}

function flagsOf(setting: Setting): string {
  const placeholders = {
    text: 'text',
    integer: 'number',
    number: 'number',
    bytes: 'size',
    duration: 'time',
    list: 'list',
  }
  return setting.kind === 'boolean' ? setting.flag : `${setting.flag} <${placeholders[setting.kind]}>`
}

function defaultOf({ default: value, kind }: Setting): string {
  if (typeof value === 'number' && kind === 'bytes') return ` (default: ${formatBytes(value)})`
  if (typeof value === 'number' && kind === 'duration') return ` (default: ${value} ms)`
  return typeof value === 'string' || typeof value === 'number' ? ` (default: ${value})` : ''
}
