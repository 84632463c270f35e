// Keeps real time, chance and devices out of the rooms that must run the same way twice: they get Clock, Random, Transport
// and Disk from whoever constructs them. Works on syntax, so that names in strings, comments and properties are free.

import { resolve } from 'node:path'
import { roomOf } from './arrows.ts'
import {
  isSyntaxNode,
  literalText,
  readSources,
  references,
  report,
  violation,
  visit,
  type Source,
  type SyntaxNode,
  type Violation,
} from './source.ts'

type Kind = 'time' | 'chance' | 'timer' | 'device'

const INSTEAD: Readonly<Record<Kind, string>> = {
  time: 'take the time from Clock',
  chance: 'take chance from Random',
  timer: 'wait through Clock',
  device: 'reach devices through Disk and Transport',
}

/** What each room is exempt from. The simulator drives itself with real timers, yet its histories come from the seed alone. */
const EXEMPT: Readonly<Record<string, readonly Kind[]>> = {
  io: ['time', 'chance', 'timer', 'device'],
  http: ['time', 'chance', 'timer', 'device'],
  cli: ['time', 'chance', 'timer', 'device'],
  simulator: ['timer', 'device'],
}

const GLOBALS: ReadonlyMap<string, Kind> = new Map([
  ['setTimeout', 'timer'],
  ['setInterval', 'timer'],
  ['setImmediate', 'timer'],
  ['queueMicrotask', 'timer'],
  ['performance', 'time'],
  ['fetch', 'device'],
  ['WebSocket', 'device'],
])

const MEMBERS: ReadonlyMap<string, Kind> = new Map([
  ['Date.now', 'time'],
  ['process.hrtime', 'time'],
  ['process.uptime', 'time'],
  ['Temporal.Now', 'time'],
  ['Math.random', 'chance'],
  ['crypto.getRandomValues', 'chance'],
  ['crypto.randomUUID', 'chance'],
  ['crypto.randomBytes', 'chance'],
  ['crypto.randomInt', 'chance'],
  ['process.nextTick', 'timer'],
  ['AbortSignal.timeout', 'timer'],
  ['Atomics.waitAsync', 'timer'],
])

const MODULES: ReadonlyMap<string, Kind> = new Map([
  ['timers', 'timer'],
  ['fs', 'device'],
  ['net', 'device'],
  ['tls', 'device'],
  ['http', 'device'],
  ['https', 'device'],
  ['http2', 'device'],
  ['dgram', 'device'],
  ['dns', 'device'],
  ['child_process', 'device'],
  ['cluster', 'device'],
  ['worker_threads', 'device'],
  ['undici', 'device'],
  ['fastify', 'device'],
])

/** Names of otherwise harmless modules: hashing and histograms are values in, values out; these are not. */
const NAMES: ReadonlyMap<string, ReadonlyMap<string, Kind>> = new Map([
  [
    'crypto',
    new Map<string, Kind>([
      ['randomBytes', 'chance'],
      ['randomUUID', 'chance'],
      ['randomInt', 'chance'],
      ['randomFill', 'chance'],
      ['randomFillSync', 'chance'],
      ['getRandomValues', 'chance'],
      ['webcrypto', 'chance'],
    ]),
  ],
  [
    'perf_hooks',
    new Map<string, Kind>([
      ['performance', 'time'],
      ['monitorEventLoopDelay', 'time'],
      ['PerformanceObserver', 'time'],
    ]),
  ],
  [
    'process',
    new Map<string, Kind>([
      ['nextTick', 'timer'],
      ['hrtime', 'time'],
      ['uptime', 'time'],
    ]),
  ],
])

export function bannedViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const exempt = EXEMPT[roomOf(source.path) ?? ''] ?? []
    const found: Violation[] = []
    const add = (start: number, what: string, kind: Kind | undefined): void => {
      if (kind !== undefined && !exempt.includes(kind)) {
        found.push(violation(source, start, `${what} is banned here: ${INSTEAD[kind]}`))
      }
    }
    for (const { specifier, typeOnly, names, start } of references(source)) {
      if (specifier === null || typeOnly || specifier.startsWith('.')) continue
      const module = specifier.replace(/^node:/, '').split('/')[0] ?? ''
      add(start, specifier, MODULES.get(module))
      for (const name of names) add(start, `${name} of ${specifier}`, NAMES.get(module)?.get(name))
    }
    visit(source.program, (node, parent, property) => {
      if (node.type === 'MemberExpression') {
        const path = memberPath(node)
        if (path !== null) add(node.start, path, MEMBERS.get(path) ?? GLOBALS.get(path))
      } else if (node.type === 'VariableDeclarator') {
        // `const { now } = Date` takes the same thing by another door.
        for (const path of destructuredPaths(node)) add(node.start, path, MEMBERS.get(path) ?? GLOBALS.get(path))
      } else if (node.type === 'Identifier' && isUse(parent, property)) {
        const name = String(node['name'])
        add(node.start, name, GLOBALS.get(name))
      } else if (isDateOfNow(node)) add(node.start, 'a Date without an argument', 'time')
    })
    return found
  })
}

/** `Date.now`, `Math['random']`; a leading `globalThis.` is left out. Null when part of it is computed. */
function memberPath(node: SyntaxNode): string | null {
  const object = node['object']
  const property = node['property']
  if (!isSyntaxNode(object) || !isSyntaxNode(property)) return null
  const name = node['computed'] === true ? literalText(property) : String(property['name'])
  if (name === null) return null
  if (object.type === 'Identifier') return withoutGlobal(`${String(object['name'])}.${name}`)
  if (object.type !== 'MemberExpression') return null
  const above = memberPath(object)
  return above === null ? null : withoutGlobal(`${above}.${name}`)
}

function withoutGlobal(path: string): string {
  return path.replace(/^(globalThis|global)\./, '')
}

function destructuredPaths(node: SyntaxNode): string[] {
  const { id, init } = node
  if (!isSyntaxNode(id) || id.type !== 'ObjectPattern' || !isSyntaxNode(init)) return []
  const base =
    init.type === 'Identifier' ? String(init['name']) : init.type === 'MemberExpression' ? memberPath(init) : null
  if (base === null || !Array.isArray(id['properties'])) return []
  return id['properties'].flatMap((entry: unknown) => {
    const key = isSyntaxNode(entry) ? entry['key'] : null
    return isSyntaxNode(key) && key.type === 'Identifier' ? [withoutGlobal(`${base}.${String(key['name'])}`)] : []
  })
}

/** Whether an identifier names a variable here, rather than a property, a parameter of a type, or an import (judged above). */
function isUse(parent: SyntaxNode | null, property: string): boolean {
  if (parent === null) return true
  switch (parent.type) {
    case 'MemberExpression':
      return property === 'object' || parent['computed'] === true
    case 'Property':
      return property === 'value' || parent['computed'] === true
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'AccessorProperty':
    case 'TSAbstractMethodDefinition':
    case 'TSAbstractPropertyDefinition':
    case 'TSPropertySignature':
    case 'TSMethodSignature':
    case 'TSEnumMember':
      return property !== 'key' || parent['computed'] === true
    case 'TSQualifiedName':
      return property === 'left'
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
    case 'ExportSpecifier':
    case 'TSImportType':
    case 'TSTypeReference':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return false
    default:
      return !(property === 'params' && parent.type.startsWith('TS'))
  }
}

function isDateOfNow(node: SyntaxNode): boolean {
  const callee = node['callee']
  if (!isSyntaxNode(callee) || callee.type !== 'Identifier' || callee['name'] !== 'Date') return false
  if (node.type === 'CallExpression') return true
  return node.type === 'NewExpression' && Array.isArray(node['arguments']) && node['arguments'].length === 0
}

if (import.meta.main) {
  const sources = readSources(resolve(import.meta.dirname, '../..'), 'src')
  const violations = bannedViolations(sources)
  process.stdout.write(report(violations))
  process.stdout.write(`${sources.length} files, ${violations.length} banned uses\n`)
  process.exitCode = violations.length > 0 ? 1 : 0
}
