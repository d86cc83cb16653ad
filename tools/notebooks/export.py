"""Make helpers/recipes.py of the cells tagged `export`; `make export` calls this."""

from helpers.export import MODULE, module_text, write_module


def main():
    try:
        text = module_text()
    except (OSError, ValueError) as error:
        raise SystemExit(f"Not exported: {error}") from None
    if MODULE.exists() and MODULE.read_text(encoding="utf-8") == text:
        print("helpers/recipes.py is as the notebooks define it.")
        return
    write_module(text)
    print("helpers/recipes.py was made of the notebooks.")


if __name__ == "__main__":
    main()
