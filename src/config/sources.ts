// Collects what each source says about each setting: flags, environment (also through files), configuration file.
// Judges only what belongs to no setting; touches no file itself: reading is handed in.

import { parseFileValue, parseText, type Parsed } from './parse-value.ts'
import { SETTINGS, type Setting, type SettingName } from './settings.ts'

export type SourceKind = 'flag' | 'env' | 'file' | 'default'

export interface Provenance {
  readonly source: SourceKind
  /** `--port`, `QUORATE_PORT`, `QUORATE_SECRET_FILE=/run/secrets/quorate`, `quorate.json`, `default`. */
  readonly from: string
}

/** One wrong thing; `message` is a whole sentence that names the source and never shows a secret. */
export interface Violation {
  readonly setting: string
  readonly message: string
}

/** What one source says about one setting. */
export interface Candidate {
  readonly setting: Setting
  readonly provenance: Provenance
  readonly parsed: Parsed
  /** As it was written, for messages. */
  readonly shown: string
}

export interface ConfigInput {
  /** By setting name; text, or true for a switch that stands alone. */
  readonly flags: Readonly<Partial<Record<SettingName, string | boolean>>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Path of the configuration file (`--config`, else QUORATE_CONFIG), or null. */
  readonly configFile: string | null
  /** Reads a whole file as UTF-8; throws as the system does. */
  readonly readText: (path: string) => string
  /** The default name. */
  readonly hostname: string
}

export interface Collected {
  /** The most important source first. */
  readonly candidates: readonly Candidate[]
  readonly violations: readonly Violation[]
}

/** Environment names that are not settings of a node: the client side of the command line, and tests. */
const OTHER_ENV = ['QUORATE_URL', 'QUORATE_CONFIG', 'QUORATE_CONFIG_FILE', 'QUORATE_SEED']
const OTHER_ENV_PREFIX = 'QUORATE_TEST_'

export function collect(input: ConfigInput): Collected {
  const parts = [fromFlags(input), fromEnvironment(input), fromFile(input)]
  return {
    candidates: parts.flatMap((part) => part.candidates),
    violations: parts.flatMap((part) => part.violations),
  }
}

function fromFlags(input: ConfigInput): Collected {
  const candidates: Candidate[] = []
  for (const setting of SETTINGS) {
    const given = input.flags[setting.name]
    if (given === undefined) continue
    candidates.push({
      setting,
      provenance: { source: 'flag', from: setting.flag },
      parsed: typeof given === 'string' ? parseText(setting.kind, given) : { type: 'value', value: given },
      shown: shown(setting, given),
    })
  }
  return { candidates, violations: [] }
}

function fromEnvironment(input: ConfigInput): Collected {
  const candidates: Candidate[] = []
  const violations: Violation[] = []
  const known = new Set(OTHER_ENV)
  for (const setting of SETTINGS) {
    const fileVariable = `${setting.env}_FILE`
    known.add(setting.env).add(fileVariable)
    // An empty variable counts as unset: compose files cannot leave one out.
    const text = input.env[setting.env] || undefined
    const path = input.env[fileVariable] || undefined
    if (text !== undefined && path !== undefined) {
      violations.push({
        setting: setting.name,
        message: `${setting.env} and ${fileVariable} are both set; set one of them`,
      })
    } else if (text !== undefined) {
      const provenance: Provenance = { source: 'env', from: setting.env }
      candidates.push({ setting, provenance, parsed: parseText(setting.kind, text), shown: shown(setting, text) })
    } else if (path !== undefined) {
      try {
        const content = input.readText(path)
        const provenance: Provenance = { source: 'env', from: `${fileVariable}=${path}` }
        candidates.push({
          setting,
          provenance,
          parsed: parseText(setting.kind, content),
          shown: shown(setting, content.trim()),
        })
      } catch (error) {
        violations.push({
          setting: setting.name,
          message: `${fileVariable}: ${path} cannot be read (${reason(error)})`,
        })
      }
    }
  }
  for (const name of Object.keys(input.env).toSorted()) {
    if (!name.startsWith('QUORATE_') || known.has(name) || name.startsWith(OTHER_ENV_PREFIX)) continue
    violations.push({
      setting: name,
      message: `${name} is set, but there is no such setting${suggestion(name, [...known])}`,
    })
  }
  return { candidates, violations }
}

function fromFile(input: ConfigInput): Collected {
  const path = input.configFile
  if (path === null) return { candidates: [], violations: [] }
  const fail = (message: string): Collected => ({ candidates: [], violations: [{ setting: 'config', message }] })
  let parsed: unknown
  try {
    parsed = JSON.parse(input.readText(path))
  } catch (error) {
    return fail(
      error instanceof SyntaxError
        ? `${path} is not JSON (${error.message})`
        : `${path} cannot be read (${reason(error)})`,
    )
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return fail(`${path} is not a JSON object`)
  const candidates: Candidate[] = []
  const violations: Violation[] = []
  const names = SETTINGS.map((setting) => setting.name)
  for (const [key, value] of Object.entries(parsed)) {
    const setting = SETTINGS.find((one) => one.name === key)
    if (setting === undefined) {
      if (key === '$schema') continue
      violations.push({ setting: key, message: `${path}: there is no setting "${key}"${suggestion(key, names)}` })
    } else {
      const provenance: Provenance = { source: 'file', from: path }
      candidates.push({
        setting,
        provenance,
        parsed: parseFileValue(setting.kind, value),
        shown: shown(setting, value),
      })
    }
  }
  return { candidates, violations }
}

function shown(setting: Setting, value: unknown): string {
  if (setting.secret) return 'what it holds'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`
}

function reason(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}

/** The known name at the smallest edit distance, if it is near enough to be a slip of the fingers. */
function suggestion(name: string, known: readonly string[]): string {
  let best: { readonly name: string; readonly distance: number } | null = null
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance <= 3 && (best === null || distance < best.distance)) best = { name: candidate, distance }
  }
  return best === null ? '' : ` (did you mean ${best.name}?)`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
