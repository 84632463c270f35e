// What is in force and where it came from, fit to be shown: secrets are masked here and nowhere shown otherwise.

import type { Configuration } from './resolve.ts'
import { SETTINGS, type Setting } from './settings.ts'

export interface DescribedSetting {
  readonly name: string
  readonly value: unknown
  /** `flag`, `env`, `file` or `default`. */
  readonly source: string
  /** The flag, variable or file itself. */
  readonly from: string
  readonly flag: string
  readonly env: string
  readonly description: string
}

export const MASK = '********'

export function describeConfig({ settings, provenance }: Configuration): DescribedSetting[] {
  return SETTINGS.map((setting) => ({
    name: setting.name,
    value: masked(setting, settings[setting.name]),
    source: provenance[setting.name].source,
    from: provenance[setting.name].from,
    flag: setting.flag,
    env: setting.env,
    description: setting.description,
  }))
}

/** The number of secrets stays visible: rotating them is a matter of how many there are. */
function masked(setting: Setting, value: unknown): unknown {
  if (!setting.secret) return value
  return Array.isArray(value) ? value.map(() => MASK) : MASK
}
