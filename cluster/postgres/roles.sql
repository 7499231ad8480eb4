-- Before the first `flywheel migrate`: the database and its owner. As a superuser, once:
--   OWNER_PASSWORD=... psql -v ON_ERROR_STOP=1 -f roles.sql
--
-- The owner has every table and runs migrations, which make group roles: hence CREATEROLE. Nothing that
-- runs all day logs in as the owner.
\getenv password OWNER_PASSWORD
CREATE ROLE flywheel_owner LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE flywheel OWNER flywheel_owner;
REVOKE ALL ON DATABASE flywheel FROM PUBLIC;
