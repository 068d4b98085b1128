import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/package-root.js';

/** The functions that the sources of a folder export, with the types of their parameters as they are written. */
export function exportedFunctions(folder: string): { file: string; name: string; parameterTypes: string[] }[] {
  return parse(folder).flatMap((source) =>
    source.statements.flatMap((statement) =>
      isExported(statement) ? functionsOf(statement).map((found) => ({ file: source.fileName, ...found })) : [],
    ),
  );
}

/**
 * Every call of a method in the sources of a folder. `firstArgument` is without the object in front of its last dot.
 */
export function callsOf(folder: string, method: string): { file: string; firstArgument: string }[] {
  return parse(folder).flatMap((source) => {
    const calls: { file: string; firstArgument: string }[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { name } = node.expression;
        const argument = node.arguments[0]?.getText(source) ?? '';
        if (name.text === method) calls.push({ file: source.fileName, firstArgument: argument.replace(/^\w+\./, '') });
      }
      node.forEachChild(visit);
    };
    visit(source);
    return calls;
  });
}

function parse(folder: string): ts.SourceFile[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .sort()
    .map((path) =>
      ts.createSourceFile(path, readFileSync(join(packageRoot, path), 'utf8'), ts.ScriptTarget.Latest, true),
    );
}

function isExported(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function functionsOf(statement: ts.Statement): { name: string; parameterTypes: string[] }[] {
  const describe = (name: ts.Node | undefined, { parameters }: ts.SignatureDeclaration) => {
    const source = statement.getSourceFile();
    const parameterTypes = parameters.map(({ type }) => type?.getText(source) ?? '');
    return { name: name?.getText(source) ?? '', parameterTypes };
  };
  if (ts.isFunctionDeclaration(statement)) return [describe(statement.name, statement)];
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations.flatMap(({ name, initializer }) =>
    initializer && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))
      ? [describe(name, initializer)]
      : [],
  );
}
