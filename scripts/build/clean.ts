// Removes the last build, so that a deleted source leaves nothing behind in the package.

import { rmSync } from 'node:fs'
import { resolve } from 'node:path'

rmSync(resolve(import.meta.dirname, '../../dist'), { recursive: true, force: true })
