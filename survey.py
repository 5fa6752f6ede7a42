from clumpygan.commands.survey import main

if __name__ == "__main__":
    main()
