-- The forms of names, hosts and protocols. The domains hold them for every table.

-- The one form in which a host is stored: lower case, without a trailing dot, IPv6 addresses as RFC 5952 writes them,
-- IPv4 addresses as four decimal numbers, loopback and wildcard addresses as 'localhost'. NULL if the text is no host.
create function canonical_host(host text) returns text
language plpgsql immutable strict parallel safe as $$
declare
  name text := regexp_replace(regexp_replace(lower(host collate "C"), '\.$', ''), '^\[(.*:.*)\]$', '\1');
  address inet;
begin
  if name = '*' then
    return 'localhost';
  end if;
  if position(':' in name) > 0 or name ~ '(^|\.)([0-9]+|0x[0-9a-f]*)$' then
    if name !~ '^([0-9a-f:]+:[0-9a-f.:]*|((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2}))$' then
      return null;
    end if;
    begin
      address := name::inet;
    exception when others then
      return null;
    end;
    if family(address) = 6 and address <<= '::ffff:0:0/96' then
      address := '0.0.0.0'::inet + (address - '::ffff:0:0'::inet);
    end if;
    if address <<= '127.0.0.0/8' or address = '0.0.0.0' or address = '::1' or address = '::' then
      return 'localhost';
    end if;
    if family(address) = 6 and address <<= '::/96' then
      return null; -- IPv4-compatible addresses are obsolete (RFC 4291, 2.5.5.1) and have two spellings
    end if;
    return host(address);
  end if;
  if length(name) > 253 or name !~ '^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$' then
    return null;
  end if;
  return name;
end
$$;

-- "C" sorts names the same on every machine, and lets an index give them in that order.
create domain registry_name as text collate "C"
  check (value ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$');

-- Most rows are on 'localhost'. It is compared first, so that they do not pay for a call of canonical_host().
create domain registry_host as text collate "C"
  check (value = 'localhost' or value is not distinct from canonical_host(value));

create domain transport_protocol as text
  check (value in ('tcp', 'udp'));
