// Decides the settings in force: the most important source that says something wins, and everything wrong is told at once.
// Pure over its input. Invariant: what comes out is valid, complete and frozen, and says of each value where it came from.

import Value from 'typebox/value'
import { rulesBroken } from './rules.ts'
import { SETTINGS, SettingsSchema, type Setting, type SettingName, type Settings } from './settings.ts'
import { collect, type Candidate, type ConfigInput, type Provenance, type Violation } from './sources.ts'

export interface Configuration {
  readonly settings: Settings
  readonly provenance: Readonly<Record<SettingName, Provenance>>
}

export type ConfigOutcome =
  | { readonly type: 'ok'; readonly configuration: Configuration }
  | { readonly type: 'violations'; readonly violations: readonly Violation[] }

const DEFAULT: Provenance = { source: 'default', from: 'default' }
const PEER_PORT_DEFAULT = 7481

export function resolveConfig(input: ConfigInput): ConfigOutcome {
  const { candidates, violations: unknown } = collect(input)
  const violations = [...unknown]
  const values = new Map<SettingName, unknown>()
  const provenance = new Map<SettingName, Provenance>()
  // Every candidate is judged, also one that another source outvotes: a wrong value is a mistake wherever it stands.
  for (const candidate of candidates) {
    const { setting, parsed } = candidate
    if (parsed.type === 'malformed' || !accepts(setting, parsed.value)) {
      violations.push({ setting: setting.name, message: wrong(candidate) })
    } else if (!values.has(setting.name)) {
      values.set(setting.name, parsed.value)
      provenance.set(setting.name, candidate.provenance)
    }
  }
  for (const setting of SETTINGS) {
    if (values.has(setting.name)) continue
    values.set(setting.name, structuredClone(setting.name === 'name' ? defaultName(input.hostname) : setting.default))
    provenance.set(setting.name, DEFAULT)
  }
  violations.push(...chooseStorage(values, provenance))

  const settings: unknown = Object.fromEntries(values)
  if (!Value.Check(SettingsSchema, settings)) {
    // Only what a candidate got wrong can be wrong here, and that has been told.
    return { type: 'violations', violations }
  }
  const complete: Settings = { ...settings, join: settings.join.map(withPeerPort) }
  violations.push(...rulesBroken(complete))
  if (violations.length > 0) return { type: 'violations', violations }
  const sources = Object.fromEntries(provenance) as Record<SettingName, Provenance> // one for each setting, see above
  return {
    type: 'ok',
    configuration: Object.freeze({ settings: freeze(complete), provenance: Object.freeze(sources) }),
  }
}

/** `data` and `memory` are one choice: whichever the more important source names settles it. */
function chooseStorage(values: Map<SettingName, unknown>, provenance: Map<SettingName, Provenance>): Violation[] {
  const from = (name: SettingName): Provenance => provenance.get(name) ?? DEFAULT
  if (values.get('memory') === true && values.get('data') !== null) {
    const ranks = ['flag', 'env', 'file', 'default']
    const memory = ranks.indexOf(from('memory').source)
    const data = ranks.indexOf(from('data').source)
    if (memory === data) {
      const message = `${from('memory').from} asks for memory alone and ${from('data').from} for a data directory; choose one`
      return [{ setting: 'memory', message }]
    }
    const loser: SettingName = memory < data ? 'data' : 'memory'
    const winner: SettingName = memory < data ? 'memory' : 'data'
    values.set(loser, loser === 'data' ? null : false)
    provenance.set(loser, from(winner))
  }
  if (values.get('memory') !== true && values.get('data') === null) {
    values.set('data', `./.quorate/${String(values.get('name'))}`)
  }
  return []
}

function accepts(setting: Setting, value: unknown): boolean {
  return Value.Check(setting.schema, value)
}

function wrong(candidate: Candidate): string {
  return `${candidate.provenance.from}${candidate.provenance.source === 'file' ? `: ${candidate.setting.name}` : ''}: ${candidate.shown} is not ${candidate.setting.expected}`
}

/** A host name can hold what a member's name cannot. */
function defaultName(hostname: string): string {
  const name = hostname.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return name.slice(0, 63) || 'node'
}

function withPeerPort(address: string): string {
  return /:\d+$/.test(address) ? address : `${address}:${PEER_PORT_DEFAULT}`
}

function freeze(settings: Settings): Settings {
  for (const value of Object.values(settings)) if (Array.isArray(value)) Object.freeze(value)
  return Object.freeze(settings)
}
