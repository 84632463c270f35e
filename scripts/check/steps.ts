// The checks that hold for every change, cheapest first. Each is a command line, run from the project's folder.

export interface Step {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** A step without whose success this one would only echo its failures. */
  readonly needs?: string
}

export const STEPS: readonly Step[] = [
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'arrows', command: ['node', 'scripts/check/arrows.ts'] },
  { name: 'banned', command: ['node', 'scripts/check/banned.ts'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings', 'src', 'test', 'scripts'], needs: 'types' },
]
