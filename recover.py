from clumpygan.commands.recover import main

if __name__ == "__main__":
    main()
