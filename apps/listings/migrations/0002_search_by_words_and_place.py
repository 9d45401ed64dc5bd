import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import CreateExtension
from django.db import migrations, models

# Accents and case do not tell words apart: letters are taken apart from their marks (NFKD), marks are dropped. What is
# longer than 60 letters is cut, in listings and in searches alike.
FUNCTIONS = r"""
CREATE FUNCTION search_words(written text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT left(word, 60)
    FROM regexp_split_to_table(
        lower(regexp_replace(normalize(written, NFKD), U&'[\0300-\036F]+', '', 'g')), '[^[:alnum:]]+'
    ) AS word
    WHERE word <> '';
END;

CREATE FUNCTION search_vector(title text, city text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(string_agg(DISTINCT word, ' '), '')::tsvector
    FROM (
        SELECT search_words(title) || ':1A' AS word
        UNION ALL SELECT search_words(city) || ':1B'
        UNION ALL SELECT search_words(description) || ':1'
    ) AS marked;
END;

CREATE FUNCTION unit_sphere(latitude double precision, longitude double precision) RETURNS cube
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN latitude IS NULL OR longitude IS NULL THEN NULL
    ELSE cube(ARRAY[
        cos(radians(latitude)) * cos(radians(longitude)),
        cos(radians(latitude)) * sin(radians(longitude)),
        sin(radians(latitude))
    ])
END;
"""
DROP_FUNCTIONS = """
DROP FUNCTION unit_sphere(double precision, double precision);
DROP FUNCTION search_vector(text, text, text);
DROP FUNCTION search_words(text);
"""

# Not a field of the model: no read of a listing needs to carry it. Without `fastupdate` a search never has to walk a
# list of entries that nobody sorted in yet.
COLUMN = """
ALTER TABLE listings_listing ADD COLUMN search_vector tsvector NOT NULL
    GENERATED ALWAYS AS (search_vector(title, city, description)) STORED;
CREATE INDEX listing_words ON listings_listing USING gin (search_vector) WITH (fastupdate = off)
    WHERE status = 'PUBLISHED' AND deleted_at IS NULL;
"""
DROP_COLUMN = """
DROP INDEX listing_words;
ALTER TABLE listings_listing DROP COLUMN search_vector;
"""

# The vocabulary follows the listings as an index does. There is no unique constraint on purpose: two hosts who use a
# new word at the same moment must not wait for each other, and a word that is there twice does no harm.
TRIGGERS = """
CREATE FUNCTION learn_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        INSERT INTO listings_word (word)
        SELECT DISTINCT word FROM added, unnest(tsvector_to_array(added.search_vector)) AS word
        WHERE length(word) >= 5 AND NOT EXISTS (SELECT 1 FROM listings_word AS known WHERE known.word = word.word);
    ELSE
        INSERT INTO listings_word (word)
        SELECT word FROM unnest(tsvector_to_array(NEW.search_vector)) AS word
        WHERE length(word) >= 5 AND NOT EXISTS (SELECT 1 FROM listings_word AS known WHERE known.word = word.word);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER learn_words_of_new_listings AFTER INSERT ON listings_listing
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION learn_words();
CREATE TRIGGER learn_words_of_changed_listings AFTER UPDATE OF title, city, description ON listings_listing
    FOR EACH ROW WHEN (OLD.search_vector IS DISTINCT FROM NEW.search_vector) EXECUTE FUNCTION learn_words();
INSERT INTO listings_word (word)
    SELECT DISTINCT word FROM listings_listing, unnest(tsvector_to_array(search_vector)) AS word WHERE length(word) >= 5;
"""
DROP_TRIGGERS = """
DROP TRIGGER learn_words_of_changed_listings ON listings_listing;
DROP TRIGGER learn_words_of_new_listings ON listings_listing;
DROP FUNCTION learn_words();
"""

SOLD = models.Q(("deleted_at", None), ("status", "PUBLISHED"))


class Migration(migrations.Migration):
    """Words are found with one typing error by a vocabulary; places are found in the order of their distance."""

    dependencies = [("listings", "0001_initial")]

    operations = [
        CreateExtension("cube"),
        migrations.RemoveIndex(model_name="listing", name="listing_words"),
        migrations.RemoveIndex(model_name="listing", name="listing_point"),
        migrations.RemoveIndex(model_name="listing", name="listing_city_price"),
        migrations.RemoveField(model_name="listing", name="search_text"),
        migrations.CreateModel(
            name="Word",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=60)),
            ],
        ),
        migrations.AddIndex(
            model_name="word",
            index=models.Index(fields=["word"], name="word_beginning", opclasses=["text_pattern_ops"]),
        ),
        migrations.AddIndex(
            model_name="word",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Reverse("word"), name="text_pattern_ops"
                ),
                name="word_end",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.RunSQL(COLUMN, DROP_COLUMN),
        migrations.RunSQL(TRIGGERS, DROP_TRIGGERS),
        migrations.AddIndex(
            model_name="listing",
            index=django.contrib.postgres.indexes.GistIndex(
                models.Func(
                    models.F("latitude"),
                    models.F("longitude"),
                    function="unit_sphere",
                    output_field=models.TextField(),
                ),
                condition=SOLD,
                name="listing_sphere",
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                django.db.models.functions.text.Lower("city"),
                models.F("currency"),
                models.F("price_minor"),
                models.F("id"),
                condition=SOLD,
                name="listing_city_price",
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(fields=["latitude", "longitude"], condition=SOLD, name="listing_coordinates"),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["currency", "-price_minor", "-id"], condition=SOLD, name="listing_price_falling"
            ),
        ),
    ]
