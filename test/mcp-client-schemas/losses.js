import { isDeepStrictEqual } from 'node:util';

/**
 * The fields of Gemini's `Schema` (`interface Schema` of @google/genai 3.3.0). The API refuses a function whose
 * `parameters` have any other field ("Cannot find field").
 */
const GEMINI_FIELDS = new Set(
  `anyOf default description enum example format items maxItems maxLength maxProperties maximum minItems minLength
  minProperties minimum nullable pattern properties propertyOrdering required title type`.split(/\s+/),
);
/** The API refuses others, such as `uuid` ("only 'enum' and 'date-time' are supported for STRING type"). */
const GEMINI_STRING_FORMATS = ['enum', 'date-time'];

/**
 * What a schema lost on its way from a service (`published`) to a model (`sent`), in lines that begin with a path. None
 * if the model is told every field with its description, type, values and items, and which fields it has to fill in.
 */
export function findLosses(published, sent, path = '') {
  if (isDeepStrictEqual(published, sent)) return [];
  if (typeof published !== 'object' || typeof sent !== 'object') return [`${path} became ${JSON.stringify(sent)}`];
  const { properties = {}, items, required: _, ...keywords } = unify(published);
  const { properties: sentProperties = {}, items: sentItems, ...sentKeywords } = unify(sent);
  const fields = Object.entries(properties).flatMap(([name, field]) => {
    const at = `${path}/properties/${name}`;
    if (!(name in sentProperties)) return [`${at} is gone`];
    const losses = findLosses(field, sentProperties[name], at);
    const isOptional = isOptionalIn(sent, name);
    if (isOptional !== isOptionalIn(published, name))
      losses.push(`${at} became ${isOptional ? 'optional' : 'required'}`);
    return losses;
  });
  const added = Object.keys(sentProperties).filter((name) => !(name in properties));
  return [
    ...Object.keys(keywords)
      .filter((keyword) => !isDeepStrictEqual(keywords[keyword], sentKeywords[keyword]))
      .map((keyword) => `${path}/${keyword} became ${JSON.stringify(sentKeywords[keyword])}`),
    ...fields,
    ...added.map((name) => `${path}/properties/${name} was added`),
    ...(items === undefined ? [] : findLosses(items, sentItems, `${path}/items`)),
  ];
}

/** In strict mode every field is required, and an optional one may be null. */
function isOptionalIn({ required = [], properties }, name) {
  return !required.includes(name) || unify(properties[name]).nullable === true;
}

/** The same schema with its type in small letters, and with `nullable` for all the ways to say that it may be null. */
function unify(schema) {
  if (typeof schema !== 'object') return { nullable: schema };
  const isNull = (one) => one.type === 'null';
  if (schema.anyOf?.length === 2 && schema.anyOf.some(isNull)) {
    const { anyOf, ...others } = schema;
    return unify({ ...anyOf.find((one) => !isNull(one)), ...others, nullable: true });
  }
  const { type, ...others } = schema;
  if (type === undefined) return schema;
  const types = [type].flat().map((one) => one.toLowerCase());
  const named = types.filter((one) => one !== 'null');
  const nullable = types.length > named.length && { nullable: true };
  return { ...others, type: named.length === 1 ? named[0] : named, ...nullable };
}

/**
 * A schema without `additionalProperties: false`. Gemini's `Schema` has no word for an object that is closed; the service
 * itself refuses a field that a tool does not have.
 */
export function withoutClosing(schema) {
  if (Array.isArray(schema)) return schema.map(withoutClosing);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(
    ([keyword, value]) => keyword !== 'additionalProperties' || value !== false,
  );
  return Object.fromEntries(kept.map(([keyword, value]) => [keyword, withoutClosing(value)]));
}

/** What Gemini's API refuses of `parameters`, in lines that begin with a path. */
export function findRefused(schema, path = '') {
  if (typeof schema !== 'object') return [`${path} is no Schema`];
  const { type, format, properties = {}, items, anyOf = [], enum: values = [] } = schema;
  const isString = String(type).toLowerCase() === 'string';
  return [
    ...Object.keys(schema)
      .filter((field) => !GEMINI_FIELDS.has(field))
      .map((field) => `${path}/${field} is unknown`),
    ...(Array.isArray(type) ? [`${path}/type is a list`] : []),
    ...(isString && format && !GEMINI_STRING_FORMATS.includes(format) ? [`${path}/format is not supported`] : []),
    ...(values.some((value) => typeof value !== 'string') ? [`${path}/enum has values that are no strings`] : []),
    ...Object.entries(properties).flatMap(([name, field]) => findRefused(field, `${path}/properties/${name}`)),
    ...anyOf.flatMap((one, index) => findRefused(one, `${path}/anyOf/${index}`)),
    ...(items === undefined ? [] : findRefused(items, `${path}/items`)),
  ];
}
