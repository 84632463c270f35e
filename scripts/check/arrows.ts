// Holds the arrows between rooms: every module that a source file names is compared with the declared table.
// Type imports count as arrows too; besides, rooms must not depend on each other in a circle.

import { resolve, posix } from 'node:path'
import { OPEN_TO_ALL, ROOMS, type Arrows } from './rooms.ts'
import { readSources, references, report, violation, type Source, type Violation } from './source.ts'

/** The room of a project path: `src/core/ring/x.ts` → core, `src/errors.ts` → errors; null outside src. */
export function roomOf(path: string): string | null {
  const [top, first] = path.split('/')
  if (top !== 'src' || first === undefined) return null
  return first.replace(/\.tsx?$/, '')
}

export function arrowViolations(
  sources: readonly Source[],
  rooms: Readonly<Record<string, Arrows>> = ROOMS,
): Violation[] {
  const found: Violation[] = []
  // The first place where one room names another, for the search for circles.
  const edges = new Map<string, Map<string, Violation>>()
  for (const source of sources) {
    const from = roomOf(source.path)
    const allowed = from === null || !Object.hasOwn(rooms, from) ? undefined : rooms[from]
    if (from === null || allowed === undefined) {
      found.push(violation(source, 0, `room ${from ?? '(none)'} is not in the table of scripts/check/rooms.ts`))
      continue
    }
    for (const reference of references(source)) {
      const { specifier, typeOnly, start } = reference
      const fail = (message: string): void => void found.push(violation(source, start, message))
      if (specifier === null) {
        fail('a computed module name: nobody can tell which room it leads to')
        continue
      }
      if (!specifier.startsWith('.')) {
        const refusal = refusePackage(from, allowed, specifier)
        if (refusal !== null) fail(refusal)
        continue
      }
      const target = posix.join(posix.dirname(source.path), specifier)
      const to = roomOf(target)
      if (to === null) fail(`${from} reaches outside src: ${target}`)
      else if (to !== from && !OPEN_TO_ALL.includes(to)) {
        const refusal = refuseArrow(from, allowed, to, typeOnly)
        if (refusal !== null) fail(refusal)
        const targets = edges.get(from) ?? new Map<string, Violation>()
        if (!targets.has(to)) targets.set(to, violation(source, start, `${from} → ${to}`))
        edges.set(from, targets)
      }
    }
  }
  return [...found, ...circles(edges)]
}

function refuseArrow(from: string, allowed: Arrows, to: string, typeOnly: boolean): string | null {
  if (allowed.values.includes(to)) return null
  if (!allowed.types?.includes(to)) return `${from} must not know ${to}`
  return typeOnly ? null : `${from} may import only types from ${to} (write "import type")`
}

function refusePackage(from: string, allowed: Arrows, specifier: string): string | null {
  if (specifier.startsWith('node:')) {
    return allowed.nodeModules === false ? `${from} must not import ${specifier}` : null
  }
  if (allowed.packages === undefined) return null
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  return allowed.packages.includes(name) ? null : `${from} must not import the package ${name}`
}

/** One violation for each circle that a depth-first walk closes, at the import that closes it. */
function circles(edges: ReadonlyMap<string, ReadonlyMap<string, Violation>>): Violation[] {
  const found: Violation[] = []
  const done = new Set<string>()
  const walk = (room: string, path: readonly string[]): void => {
    for (const [to, place] of edges.get(room) ?? []) {
      const back = path.indexOf(to)
      if (back >= 0) found.push({ ...place, message: `rooms in a circle: ${[...path.slice(back), to].join(' → ')}` })
      else if (!done.has(to)) walk(to, [...path, to])
    }
    done.add(room)
  }
  for (const room of [...edges.keys()].toSorted()) if (!done.has(room)) walk(room, [room])
  return found
}

if (import.meta.main) {
  const sources = readSources(resolve(import.meta.dirname, '../..'), 'src')
  const violations = arrowViolations(sources)
  process.stdout.write(report(violations))
  process.stdout.write(`${sources.length} files, ${violations.length} forbidden arrows\n`)
  process.exitCode = violations.length > 0 ? 1 : 0
}
