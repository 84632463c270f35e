// Which version this is: the package's, read from where it lies beside the sources and beside the build.

import { readFileSync } from 'node:fs'

export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const named = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : null
  return typeof named === 'string' ? named : 'unknown'
}
