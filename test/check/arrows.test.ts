// Shows that the arrow checker finds what it is there to find, and nothing in what only looks like an import.

import { describe, expect, test } from 'vitest'
import { arrowViolations, roomOf } from '../../scripts/check/arrows.ts'
import { ROOMS, type Arrows } from '../../scripts/check/rooms.ts'
import { parseSource, report } from '../../scripts/check/source.ts'

function check(files: Record<string, string>, rooms?: Record<string, Arrows>): string[] {
  const sources = Object.entries(files).map(([path, text]) => parseSource(path, text))
  return arrowViolations(sources, rooms).map((found) => `${found.path}:${found.line} ${found.message}`)
}

describe('arrows', () => {
  test.each([
    ['an import', "import { put } from '../coordinator/put.ts'"],
    ['a type import', "import type { Put } from '../coordinator/put.ts'"],
    ['a re-export', "export { put } from '../coordinator/put.ts'"],
    ['a re-export of everything', "export * from '../coordinator/put.ts'"],
    ['a bare import', "import '../coordinator/put.ts'"],
    ['a dynamic import', "const put = await import('../coordinator/put.ts')"],
    ['a dynamic import from a template', 'const put = await import(`../coordinator/put.ts`)'],
    ['an import in a type', "export type Put = import('../coordinator/put.ts').Put"],
  ])('%s upwards is found', (_, text) => {
    expect(check({ 'src/storage/log.ts': `// a log\n${text}\n` })).toEqual([
      'src/storage/log.ts:2 storage must not know coordinator',
    ])
  })

  test('imports that the table allows pass, and errors are open to all', () => {
    const text = `
      import { invariant } from '../../errors.ts'
      import type { Disk } from '../../ports/disk.ts'
      import { crc32 } from 'node:zlib'
      import { encode } from './encode.ts'
    `
    expect(check({ 'src/storage/segment/log.ts': text })).toEqual([])
  })

  test('strings and comments are not imports', () => {
    const text = `
      // import { put } from '../coordinator/put.ts'
      /* export * from '../http/server.ts' */
      export const text = "import { put } from '../coordinator/put.ts'"
      export const pattern = /import('..\\/http\\/server.ts')/
    `
    expect(check({ 'src/core/text.ts': text })).toEqual([])
  })

  test('a room open for types only takes no value', () => {
    const inline = check({ 'src/cluster/tables.ts': "import { type Span } from '../telemetry/trace.ts'" })
    const value = check({ 'src/cluster/tables.ts': "import { span } from '../telemetry/trace.ts'" })
    const type = check({ 'src/cluster/tables.ts': "import type { Span } from '../telemetry/trace.ts'" })
    // `import { type X }` still loads the module at run time.
    expect(inline).toHaveLength(1)
    expect(value).toEqual([
      'src/cluster/tables.ts:1 cluster may import only types from telemetry (write "import type")',
    ])
    expect(type).toEqual([])
  })

  test('core takes no node: module and no package but the listed one', () => {
    const text = [
      "import { createHash } from 'node:crypto'",
      "import xxhash from 'xxhash-wasm'",
      "import { pack } from 'msgpackr'",
    ].join('\n')
    expect(check({ 'src/core/hash.ts': text })).toEqual([
      'src/core/hash.ts:1 core must not import node:crypto',
      'src/core/hash.ts:3 core must not import the package msgpackr',
    ])
  })

  test('an unknown room, a path out of src and a computed name are found', () => {
    expect(check({ 'src/utils/x.ts': '' })).toEqual([
      'src/utils/x.ts:1 room utils is not in the table of scripts/check/rooms.ts',
    ])
    expect(check({ 'src/core/x.ts': "import { seed } from '../../test/seed.ts'" })).toEqual([
      'src/core/x.ts:1 core reaches outside src: test/seed.ts',
    ])
    expect(check({ 'src/node/x.ts': 'export const load = (name: string) => import(name)' })).toHaveLength(1)
  })

  test('rooms in a circle are found even where the table allows each arrow', () => {
    const rooms = { a: { values: ['b'] }, b: { values: ['c'] }, c: { values: [], types: ['a'] } }
    const files = {
      'src/a/one.ts': "import { two } from '../b/two.ts'",
      'src/b/two.ts': "import { three } from '../c/three.ts'",
      'src/c/three.ts': "import type { One } from '../a/one.ts'",
    }
    expect(check(files, rooms)).toEqual(['src/c/three.ts:1 rooms in a circle: a → b → c → a'])
  })

  test('the table names only rooms that it lists', () => {
    const named = Object.values(ROOMS).flatMap(({ values, types }) => [...values, ...(types ?? [])])
    expect(named.filter((room) => !Object.hasOwn(ROOMS, room))).toEqual([])
  })

  test('the report shows the place and the offending line', () => {
    const source = parseSource('src/core/x.ts', "\n  import { a } from '../io/a.ts'\n")
    const text = report(arrowViolations([source]))
    expect(text).toBe("src/core/x.ts:2  core must not know io\n    import { a } from '../io/a.ts'\n")
  })

  test('rooms are the folders and files of src', () => {
    expect(roomOf('src/core/ring/partition.ts')).toBe('core')
    expect(roomOf('src/errors.ts')).toBe('errors')
    expect(roomOf('scripts/check/run.ts')).toBeNull()
  })
})
