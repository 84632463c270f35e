// Reads TypeScript sources as syntax trees for the checkers, so that no string or comment can trip them.
// Knows nothing of rooms or of what is banned.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'

/** A syntax tree node (ESTree with TypeScript's additions); offsets are UTF-16 code units. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [property: string]: unknown
}

export interface Source {
  /** Relative to the project, with forward slashes: `src/core/bytes.ts`. */
  readonly path: string
  readonly text: string
  readonly program: SyntaxNode
}

export interface Violation {
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly message: string
  /** The offending line, trimmed. */
  readonly excerpt: string
}

/** Throws a SyntaxError-like error that names the file when the text does not parse. */
export function parseSource(path: string, text: string): Source {
  const lang = path.endsWith('.tsx') ? 'tsx' : 'ts'
  const program: unknown = parseAst(text, { lang, astType: 'ts', sourceType: 'module' }, path)
  if (!isSyntaxNode(program)) throw new Error(`${path}: the parser returned no tree`)
  return { path, text, program }
}

/** Every `.ts` and `.tsx` file under `<root>/<folder>`, sorted by path. */
export function readSources(root: string, folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) =>
      parseSource(file.slice(root.length).replaceAll('\\', '/').replace(/^\/+/, ''), readFileSync(file, 'utf8')),
    )
}

export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** Visits every node in source order, parents first, with the parent and the property it hangs on. */
export function visit(
  node: SyntaxNode,
  visitor: (node: SyntaxNode, parent: SyntaxNode | null, property: string) => void,
  parent: SyntaxNode | null = null,
  property = '',
): void {
  visitor(node, parent, property)
  for (const [name, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isSyntaxNode(item)) visit(item, visitor, node, name)
    } else if (isSyntaxNode(value)) visit(value, visitor, node, name)
  }
}

/** The text of a string literal or of a template without holes; null for anything else. */
export function literalText(node: unknown): string | null {
  if (!isSyntaxNode(node)) return null
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : null
  if (node.type !== 'TemplateLiteral' || !Array.isArray(node['quasis']) || node['quasis'].length !== 1) return null
  const quasi: unknown = node['quasis'][0]
  if (!isSyntaxNode(quasi)) return null
  const value = quasi['value']
  if (typeof value !== 'object' || value === null || !('cooked' in value)) return null
  return typeof value.cooked === 'string' ? value.cooked : null
}

/** A module that a file names: by import, re-export, `import()`, `require()` or a type's `import('…')`. */
export interface Reference {
  /** Null when it is computed. */
  readonly specifier: string | null
  /** Erased at run time (`import type`, `export type`, `import('…')` in a type). */
  readonly typeOnly: boolean
  /** The imported names; empty for namespaces, re-exports of everything and dynamic imports. */
  readonly names: readonly string[]
  /** Whether everything is imported, by whatever name. */
  readonly whole: boolean
  readonly start: number
}

export function references(source: Source): Reference[] {
  const found: Reference[] = []
  visit(source.program, (node) => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration': {
        const specifier = literalText(node['source'])
        if (specifier === null) return
        const { names, whole } = importedNames(node)
        const typeOnly = node['importKind'] === 'type' || node['exportKind'] === 'type'
        found.push({ specifier, typeOnly, names, whole, start: node.start })
        return
      }
      case 'TSImportType':
        found.push({
          specifier: literalText(node['source'] ?? node['argument']),
          typeOnly: true,
          names: [],
          whole: true,
          start: node.start,
        })
        return
      case 'ImportExpression':
      case 'TSExternalModuleReference':
        found.push({
          specifier: literalText(node['source'] ?? node['expression']),
          typeOnly: false,
          names: [],
          whole: true,
          start: node.start,
        })
        return
      case 'CallExpression': {
        const callee = node['callee']
        const first: unknown = Array.isArray(node['arguments']) ? node['arguments'][0] : undefined
        if (!isSyntaxNode(callee) || !isRequire(callee)) return
        found.push({ specifier: literalText(first), typeOnly: false, names: [], whole: true, start: node.start })
      }
    }
  })
  return found
}

export function violation(source: Source, start: number, message: string): Violation {
  const line = source.text.slice(0, start).split('\n').length
  return { path: source.path, line, message, excerpt: (source.text.split('\n')[line - 1] ?? '').trim() }
}

/** One line a violation, as editors and terminals link it, with the offending line below. */
export function report(violations: readonly Violation[]): string {
  return violations.map((v) => `${v.path}:${v.line}  ${v.message}\n    ${v.excerpt}\n`).join('')
}

function importedNames(node: SyntaxNode): { names: string[]; whole: boolean } {
  if (!Array.isArray(node['specifiers'])) return { names: [], whole: true }
  const names: string[] = []
  let whole = false
  for (const specifier of node['specifiers']) {
    if (!isSyntaxNode(specifier)) continue
    // `imported` for imports, `local` for re-exports: the name in the other module.
    const name = specifier.type === 'ExportSpecifier' ? specifier['local'] : specifier['imported']
    if (isSyntaxNode(name)) names.push(String(name['name'] ?? name['value']))
    else whole = true
  }
  return { names, whole }
}

function isRequire(callee: SyntaxNode): boolean {
  if (callee.type === 'Identifier') return callee['name'] === 'require'
  if (callee.type !== 'MemberExpression') return false
  const property = callee['property']
  return isSyntaxNode(property) && ['getBuiltinModule', 'createRequire'].includes(String(property['name']))
}
