// Which source wins, what is refused, and that all of it is told at once.

import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { describeConfig, MASK } from '../../src/config/describe.ts'
import { resolveConfig, type Configuration } from '../../src/config/resolve.ts'
import { SETTINGS } from '../../src/config/settings.ts'
import type { ConfigInput } from '../../src/config/sources.ts'

interface Given {
  readonly flags?: ConfigInput['flags']
  readonly env?: ConfigInput['env']
  readonly files?: Readonly<Record<string, string>>
  readonly configFile?: string
}

function resolve({ flags = {}, env = {}, files = {}, configFile }: Given): ReturnType<typeof resolveConfig> {
  const readText = (path: string): string => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
    return text
  }
  return resolveConfig({ flags, env, configFile: configFile ?? null, readText, hostname: 'box' })
}

function inForce(given: Given): Configuration {
  const outcome = resolve(given)
  if (outcome.type === 'violations') throw new Error(outcome.violations.map((one) => one.message).join('; '))
  return outcome.configuration
}

function complaints(given: Given): string[] {
  const outcome = resolve(given)
  return outcome.type === 'violations' ? outcome.violations.map((one) => one.message) : []
}

describe('precedence', () => {
  const file = { configFile: 'q.json', files: { 'q.json': '{"port": 1000, "zone": "file", "weight": 3}' } }

  it('takes flags before the environment, that before the file, and that before the defaults', () => {
    const { settings, provenance } = inForce({
      ...file,
      env: { QUORATE_PORT: '2000', QUORATE_ZONE: 'env' },
      flags: { port: '3000' },
    })
    expect([settings.port, settings.zone, settings.weight, settings.peerPort]).toEqual([3000, 'env', 3, 7481])
    expect(provenance.port).toEqual({ source: 'flag', from: '--port' })
    expect(provenance.zone).toEqual({ source: 'env', from: 'QUORATE_ZONE' })
    expect(provenance.weight).toEqual({ source: 'file', from: 'q.json' })
    expect(provenance.peerPort).toEqual({ source: 'default', from: 'default' })
  })

  it('for every setting: a flag wins over its variable', () => {
    const samples: Record<string, readonly [string, string]> = {
      text: ['alpha', 'beta'],
      integer: ['512', '256'],
      number: ['2', '3'],
      bytes: ['128 MiB', '96 MiB'],
      duration: ['3 s', '4s'],
      boolean: ['true', 'false'],
      list: ['alpha', 'beta'],
    }
    for (const setting of SETTINGS.filter(
      ({ name }) => !['siblingBytesMax', 'valueBytesMax', 'heartbeatMs', 'expect', 'data'].includes(name),
    )) {
      const [flag, env] = setting.name === 'logLevel' ? ['debug', 'warn'] : (samples[setting.kind] ?? ['', ''])
      const first = inForce({ flags: { [setting.name]: flag } }).settings[setting.name]
      const both = inForce({ flags: { [setting.name]: flag }, env: { [setting.env]: env } })
      expect([setting.name, both.settings[setting.name]]).toEqual([setting.name, first])
      expect(both.provenance[setting.name].source).toBe('flag')
      expect(inForce({ env: { [setting.env]: env } }).provenance[setting.name].source).toBe('env')
    }
  })

  it('reads a variable from the file that its _FILE twin names, without the line end', () => {
    const { settings, provenance } = inForce({
      env: { QUORATE_SECRET_FILE: '/run/s' },
      files: { '/run/s': 'new,old\n' },
    })
    expect(settings.secret).toEqual(['new', 'old'])
    expect(provenance.secret.from).toBe('QUORATE_SECRET_FILE=/run/s')
  })

  it('treats data and memory as one choice that the more important source makes', () => {
    expect(inForce({ flags: { memory: true }, env: { QUORATE_DATA: '/data' } }).settings).toMatchObject({
      memory: true,
      data: null,
    })
    expect(inForce({ flags: { data: '/d' }, env: { QUORATE_MEMORY: '1' } }).settings).toMatchObject({
      memory: false,
      data: '/d',
    })
    expect(inForce({ flags: { name: 'n1' } }).settings.data).toBe('./.quorate/n1')
    expect(complaints({ flags: { memory: true, data: '/d' } })).toEqual([expect.stringContaining('choose one')])
  })
})

describe('values', () => {
  it('understands units, lists and switches as text', () => {
    const env = {
      QUORATE_VALUE_BYTES_MAX: '2MiB',
      QUORATE_DRAIN_MS: '3s',
      QUORATE_JOIN: 'a, b:9, [::1]:7',
      QUORATE_DEV: 'yes',
    }
    expect(inForce({ env }).settings).toMatchObject({
      valueBytesMax: 2 * 1024 * 1024,
      drainMs: 3000,
      join: ['a:7481', 'b:9', '[::1]:7'],
      dev: true,
    })
  })

  it('counts an empty variable as unset', () => {
    expect(inForce({ env: { QUORATE_ZONE: '', QUORATE_PORT: '' } }).settings).toMatchObject({ zone: null, port: 7480 })
  })

  it('accepts as partitions exactly the powers of two up to 65536', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 0, max: 17 }).map((e) => 2 ** e),
          fc.integer({ min: -5, max: 200_000 }),
        ),
        (count) => {
          const right = count >= 1 && count <= 65_536 && (count & (count - 1)) === 0
          expect(resolve({ flags: { partitions: String(count) } }).type).toBe(right ? 'ok' : 'violations')
        },
      ),
    )
  })

  it('is frozen, lists included', () => {
    const { settings } = inForce({ flags: { join: 'a' } })
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.join)).toBe(true)
  })
})

describe('violations', () => {
  it('are told all together, whichever source they stand in', () => {
    const told = complaints({
      flags: { port: '99999', logLevel: 'loud' },
      env: { QUORATE_PROT: '1', QUORATE_WEIGHT: 'heavy', QUORATE_ZONE_FILE: '/gone' },
      configFile: 'q.json',
      files: { 'q.json': '{"sibblingsMax": 3, "expect": "many"}' },
    })
    const expected = ['--port', '--log-level', 'QUORATE_PROT', 'QUORATE_WEIGHT', '/gone', 'sibblingsMax', 'expect']
    for (const name of expected) expect([name, told.filter((one) => one.includes(name)).length]).toEqual([name, 1])
    expect(told).toHaveLength(expected.length)
  })

  it('name the setting that was probably meant', () => {
    expect(complaints({ env: { QUORATE_PROT: '1' } })[0]).toContain('did you mean QUORATE_PORT?')
  })

  it('count also where another source outvotes the wrong value', () => {
    expect(complaints({ flags: { port: '1' }, env: { QUORATE_PORT: 'x' } })).toEqual([
      expect.stringContaining('QUORATE_PORT'),
    ])
  })

  it('do not count what the command line itself reads', () => {
    expect(complaints({ env: { QUORATE_URL: 'x', QUORATE_CONFIG: 'y', QUORATE_TEST_X: '1', OTHER: '1' } })).toEqual([])
  })

  it('hold between settings too', () => {
    expect(complaints({ flags: { port: '7481' } })).toEqual([expect.stringContaining('both 7481')])
    expect(complaints({ flags: { heartbeatMs: '1500' } })).toEqual([expect.stringContaining('two heartbeats')])
    expect(complaints({ flags: { valueBytesMax: '8MiB' } })).toEqual([expect.stringContaining('siblingBytesMax')])
    expect(complaints({ flags: { expect: '3' } })).toEqual([expect.stringContaining('join names nobody')])
  })

  it('say what is wrong with the file itself', () => {
    expect(complaints({ configFile: 'q.json' })).toEqual(['q.json cannot be read (ENOENT)'])
    expect(complaints({ configFile: 'q.json', files: { 'q.json': '{' } })).toEqual([
      expect.stringContaining('is not JSON'),
    ])
    expect(complaints({ configFile: 'q.json', files: { 'q.json': '[]' } })).toEqual(['q.json is not a JSON object'])
  })

  it('never show a secret', () => {
    const given = { flags: { secret: `${'x'.repeat(2000)}topsecret` } }
    expect(complaints(given)).toHaveLength(1)
    expect(JSON.stringify(resolve(given))).not.toContain('topsecret')
  })
})

it('describes every setting, with secrets masked', () => {
  const described = describeConfig(inForce({ flags: { secret: 'one,two' } }))
  expect(described.map((one) => one.name)).toEqual(SETTINGS.map((one) => one.name))
  expect(described.find((one) => one.name === 'secret')?.value).toEqual([MASK, MASK])
  expect(JSON.stringify(described)).not.toContain('two"')
})
